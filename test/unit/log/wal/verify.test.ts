import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataFolder } from '../../../../src/log/wal/data-folder.ts';
import { NODE_STORAGE } from '../../../../src/log/wal/storage.ts';
import {
  type DumpLine,
  dumpLog,
  scrubSegment,
  verifyFolder,
  verifyLog,
} from '../../../../src/log/wal/verify.ts';
import { FaultyStorage } from '../../../support/faulty-storage.ts';
import {
  append,
  commitOne,
  LOG_DIRECTORY,
  openLog,
  segmentPath,
  type TextRecord,
} from '../../../support/log-bench.ts';

const SEGMENT_BYTES = 8192;

/** A killed log of four segments. */
async function longLog() {
  const storage = new FaultyStorage();
  const { log } = openLog(storage);
  const records: TextRecord[] = [];
  while (log.currentRegion < 3) records.push(await commitOne(log, 'x'.repeat(500)));
  storage.kill();
  return { storage, records };
}

function damage(storage: FaultyStorage, record: TextRecord): { file: string; offset: number } {
  const file = segmentPath(Math.floor(record.position / SEGMENT_BYTES));
  const offset = record.position % SEGMENT_BYTES;
  storage.corrupt(file, offset, (byte) => byte ^ 1);
  return { file, offset: offset - 44 };
}

describe('verifying a log', () => {
  it('counts what it holds, and tells of its progress', async () => {
    const { storage, records } = await longLog();
    const before = storage.changes;
    const progress: string[] = [];
    const findings = verifyLog(storage, LOG_DIRECTORY, (file, segment, segments) =>
      progress.push(`${file} ${segment}/${segments}`),
    );
    expect(findings).toEqual({
      directory: LOG_DIRECTORY,
      segments: 4,
      frames: records.length,
      records: records.length,
      bytes: records.length * (40 + 4 + 500),
      remark: undefined,
      damage: undefined,
    });
    expect(progress).toEqual([0, 1, 2, 3].map((i) => `${segmentPath(i)} ${i + 1}/4`));
    expect(storage.changes).toBe(before);
  });

  it('finds the first damage, with file and offset', async () => {
    const { storage, records } = await longLog();
    damage(storage, records[20]!);
    const place = damage(storage, records[17]!);
    const findings = verifyLog(storage, LOG_DIRECTORY);
    expect(findings.damage).toMatchObject(place);
    expect(findings.segments).toBe(1);
  });

  it('tells a torn tail from damage', async () => {
    const { storage, records } = await longLog();
    const { file, offset } = damage(storage, records.at(-1)!);
    const findings = verifyLog(storage, LOG_DIRECTORY);
    expect(findings.damage).toBeUndefined();
    expect(findings.remark).toContain(`${file}, offset ${offset}: the log ends before frame`);
    expect(findings.records).toBe(records.length - 1);
  });
});

describe('a dump of a log', () => {
  it('shows every segment, frame and record in the order of the file', async () => {
    const { storage, log } = openLog();
    const [one, two] = [append(log, 'one'), append(log, 'twotwotwo')];
    await log.commit();
    storage.kill();
    const lines: DumpLine[] = [];
    const remark = dumpLog(storage, LOG_DIRECTORY, 4, (line) => lines.push(line));
    expect(remark).toBeUndefined();
    expect(lines).toEqual([
      { kind: 'segment', file: segmentPath(0), firstSequence: 1 },
      { kind: 'frame', offset: 64, bytes: 64, sequence: 1, durableSequence: 0, records: 2 },
      { kind: 'record', position: one.position, bytes: 3, head: Buffer.from('one') },
      { kind: 'record', position: two.position, bytes: 9, head: Buffer.from('twot') },
    ]);
  });

  it('ends with what is wrong at the first damage', async () => {
    const { storage, records } = await longLog();
    const { file, offset } = damage(storage, records[2]!);
    const lines: DumpLine[] = [];
    const dump = () => dumpLog(storage, LOG_DIRECTORY, 4, (line) => lines.push(line));
    const message = expect.stringContaining(`${file}, offset ${offset}: `);
    expect(dump).toThrow(expect.objectContaining({ code: 'CAPSTAN_LOG_CORRUPT', message }));
    expect(lines.filter(({ kind }) => kind === 'record')).toHaveLength(2);
  });

  it('says where a torn tail is', async () => {
    const { storage, records } = await longLog();
    damage(storage, records.at(-1)!);
    expect(dumpLog(storage, LOG_DIRECTORY, 4, () => {})).toContain('the log ends before frame');
  });
});

describe('scrubbing a segment', () => {
  it('finds its damage, and none in a sound one', async () => {
    const { storage, records } = await longLog();
    expect(scrubSegment(storage, LOG_DIRECTORY, 0)).toBeUndefined();
    const place = damage(storage, records[3]!);
    expect(scrubSegment(storage, LOG_DIRECTORY, 0)).toMatchObject(place);
    expect(scrubSegment(storage, LOG_DIRECTORY, 1)).toBeUndefined();
  });

  it('leaves the one that is being written alone, and one that is gone', async () => {
    const { storage, records } = await longLog();
    damage(storage, records.at(-1)!);
    expect(scrubSegment(storage, LOG_DIRECTORY, 3)).toBeUndefined();
    expect(scrubSegment(storage, LOG_DIRECTORY, 9)).toBeUndefined();
  });

  it('takes one that is given up between two looks for sound', async () => {
    const { storage } = await longLog();
    storage.failNext({ call: 'open', code: 'ENOENT', path: /segment-000000000000/ });
    expect(scrubSegment(storage, LOG_DIRECTORY, 0)).toBeUndefined();
  });
});

describe('verifying a data folder', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'capstan-verify-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function withLogs() {
    const held = openDataFolder(folder, { partitions: 2 });
    const directories = [held.catalogDirectory, held.partitionDirectory(0)];
    for (const directory of directories) {
      const { log } = openLog(undefined, { directory, storage: NODE_STORAGE });
      await commitOne(log, 'record');
      await log.close();
    }
    return { held, directories };
  }

  it('looks at every log that there is', async () => {
    const { held, directories } = await withLogs();
    held.close();
    const findings = verifyFolder(folder);
    expect(findings.map((each) => each.directory)).toEqual(directories);
    expect(findings.map((each) => each.records)).toEqual([1, 1]);
    expect(verifyFolder(directories[1]!)).toEqual([findings[1]]);
  });

  it('is refused while a process holds it', async () => {
    const { held, directories } = await withLogs();
    const locked = expect.objectContaining({ code: 'CAPSTAN_DATA_FOLDER_LOCKED' });
    expect(() => verifyFolder(folder)).toThrow(locked);
    expect(() => verifyFolder(directories[0]!)).toThrow(locked);
    held.close();
  });

  it('finds damage in each log', async () => {
    const { held, directories } = await withLogs();
    held.close();
    for (const directory of directories) {
      const path = join(directory, 'segment-000000000000');
      const content = readFileSync(path);
      content[100]! ^= 1;
      writeFileSync(path, content);
    }
    expect(verifyFolder(folder).map((each) => each.damage?.offset)).toEqual([64, 64]);
  });

  it('is refused where there is none', () => {
    const refused = expect.objectContaining({ code: 'CAPSTAN_INVALID_ARGUMENT' });
    mkdirSync(join(folder, 'empty'));
    expect(() => verifyFolder(join(folder, 'empty'))).toThrow(refused);
    expect(() => verifyFolder(join(folder, 'none'))).toThrow(refused);
  });
});
