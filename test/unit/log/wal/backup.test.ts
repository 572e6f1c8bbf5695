import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../../../../src/log/log.ts';
import { backupFolder } from '../../../../src/log/wal/backup.ts';
import {
  catalogDirectory,
  type DataFolder,
  openDataFolder,
  partitionDirectory,
} from '../../../../src/log/wal/data-folder.ts';
import { verifyFolder } from '../../../../src/log/wal/verify.ts';
import { openWal } from '../../../../src/log/wal/wal.ts';

let root: string;
let folder: DataFolder;
let source: string;
let target: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'capstan-backup-'));
  source = join(root, 'data');
  target = join(root, 'copy');
  folder = openDataFolder(source, { partitions: 2 });
});

afterEach(() => {
  folder.close();
  rmSync(root, { recursive: true });
});

function open(directory: string): { log: Log; records: string[] } {
  const records: string[] = [];
  const { log } = openWal(
    { directory, segmentBytes: 64 * 1024, windowBytes: 16 * 1024, durability: { mode: 'none' } },
    (buffer, _view, offset, length) => {
      records.push(buffer.toString('latin1', offset, offset + length));
    },
  );
  return { log, records };
}

function append(log: Log, name: string, count: number): string[] {
  const texts = Array.from({ length: count }, (_, i) => `${name} ${i} `.repeat(20));
  for (const text of texts) {
    const at = log.claim(text.length);
    log.buffer.write(text, at, 'latin1');
  }
  log.write();
  return texts;
}

async function recordsOf(directory: string): Promise<string[]> {
  const { log, records } = open(directory);
  await log.close();
  return records;
}

describe('a backup', () => {
  it('of a running broker holds all that was committed before, in every log', async () => {
    const first = open(folder.partitionDirectory(0));
    const second = open(folder.partitionDirectory(1));
    const catalog = open(folder.catalogDirectory);
    const written = [
      append(first.log, 'first', 2_000),
      append(second.log, 'second', 10),
      append(catalog.log, 'catalog', 3),
    ];
    const report = backupFolder(source, target);
    expect(report.logs).toBe(3);
    expect(report.segments).toBeGreaterThan(5);
    for (const { log } of [first, second, catalog]) await log.close();

    expect(verifyFolder(target).map(({ damage, remark }) => damage ?? remark)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const copied = openDataFolder(target, { partitions: 64 });
    expect(copied.partitions).toBe(2);
    expect(copied.secret).toEqual(folder.secret);
    expect(await recordsOf(copied.partitionDirectory(0))).toEqual(written[0]);
    expect(await recordsOf(copied.partitionDirectory(1))).toEqual(written[1]);
    expect(await recordsOf(copied.catalogDirectory)).toEqual(written[2]);
    copied.close();
  });

  it('can go on where the original was', async () => {
    const { log } = open(folder.partitionDirectory(0));
    const written = append(log, 'original', 1_000);
    backupFolder(source, target);
    await log.close();
    const copy = open(partitionDirectory(target, 0, 0));
    written.push(...append(copy.log, 'more', 1_000));
    await copy.log.close();
    expect(await recordsOf(partitionDirectory(target, 0, 0))).toEqual(written);
  });

  it('holds a prefix of a log that grows meanwhile, and all that was there before', async () => {
    const { log } = open(folder.partitionDirectory(0));
    const before = append(log, 'before', 1_000);
    const meanwhile: string[] = [];
    backupFolder(source, target, () => {
      meanwhile.push(...append(log, `round ${meanwhile.length}`, 50));
    });
    await log.close();
    expect(meanwhile.length).toBeGreaterThan(100);
    const copied = await recordsOf(partitionDirectory(target, 0, 0));
    expect(copied.length).toBeGreaterThanOrEqual(before.length);
    expect(copied).toEqual([...before, ...meanwhile].slice(0, copied.length));
  });

  it('follows a log whose segments are given up and used again meanwhile', async () => {
    const { log } = open(folder.partitionDirectory(0));
    const all = append(log, 'old', 3_000);
    let rounds = 0;
    backupFolder(source, target, () => {
      if (++rounds > 3) return;
      // What lives on is at the head before its segments go.
      all.push(...append(log, `kept ${rounds}`, 30));
      log.release(Math.min(log.firstRegion + 2, log.currentRegion));
      // Fills the segments that were given up with other bytes.
      all.push(...append(log, `new ${rounds}`, 1_500));
    });
    const kept = await log.close().then(() => recordsOf(folder.partitionDirectory(0)));
    const copied = await recordsOf(partitionDirectory(target, 0, 0));
    const start = all.indexOf(copied[0]!);
    expect(start).toBeGreaterThan(0);
    expect(copied).toEqual(all.slice(start, start + copied.length));
    expect(copied.at(-1)).toMatch(/^(new|kept) 3/);
    expect(kept.at(-1)).toBe(all.at(-1));
  });

  it('cuts the half of a write that went on meanwhile', async () => {
    const { log } = open(folder.partitionDirectory(0));
    const written = append(log, 'whole', 100);
    await log.close();
    const file = join(
      folder.partitionDirectory(0),
      readdirSync(folder.partitionDirectory(0)).find((name) => name.startsWith('segment-'))!,
    );
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(500, 0xab), 0, 500, 60 * 1024);
    closeSync(fd);
    backupFolder(source, target);
    expect(verifyFolder(target).some(({ remark }) => remark !== undefined)).toBe(false);
    expect(await recordsOf(partitionDirectory(target, 0, 0))).toEqual(written);
  });

  it('of a damaged log is refused, with the file', async () => {
    const { log } = open(folder.partitionDirectory(0));
    append(log, 'record', 1_000);
    await log.close();
    const file = join(folder.partitionDirectory(0), 'segment-000000000001');
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.from([0xff]), 0, 1, 5_000);
    closeSync(fd);
    expect(() => backupFolder(source, target)).toThrow(/segment-000000000001.*break off/);
    expect(existsSync(join(target, 'capstan.json'))).toBe(false);
    expect(() => openDataFolder(target, { partitions: 2 })).toThrow(/capstan\.json is missing/);
  });

  it('goes to a new or empty folder only, and comes from a data folder only', () => {
    mkdirSync(target);
    expect(backupFolder(source, target)).toEqual({ logs: 3, segments: 0, bytes: 0 });
    expect(() => backupFolder(source, target)).toThrow(/not empty/);
    expect(() => backupFolder(root, join(root, 'other'))).toThrow(/no data folder/);
    expect(() => backupFolder(join(root, 'none'), join(root, 'other'))).toThrow(/does not exist/);
    expect(existsSync(join(root, 'other'))).toBe(false);
    expect(readdirSync(catalogDirectory(target))).toEqual([]);
  });
});
