import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SILENT_LOGGER } from '../../../src/base/logger.ts';
import { Maintenance as SourceMaintenance } from '../../../src/broker/maintenance.ts';
import type { Log } from '../../../src/log/log.ts';
import { openWal } from '../../../src/log/wal/wal.ts';

// Its thread runs the built package.
const { Maintenance } = (await import(
  new URL('../../../dist/broker/maintenance.js', import.meta.url).href
)) as { Maintenance: typeof SourceMaintenance };

const SEGMENT_BYTES = 64 * 1024;

let directory: string;
let maintenance: SourceMaintenance;
let warnings: object[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'capstan-maintenance-'));
  warnings = [];
  const note = (fields: object) => void warnings.push(fields);
  maintenance = new Maintenance({ ...SILENT_LOGGER, warn: note, error: note });
});

afterEach(async () => {
  await maintenance.close();
  rmSync(directory, { recursive: true });
});

function spares(): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('spare-'));
}

/** A log of four segments. */
async function longLog(): Promise<Log> {
  const durability = { mode: 'fsync' } as const;
  const { log } = openWal(
    { directory, segmentBytes: 8192, windowBytes: 8192, durability },
    () => {},
  );
  while (log.currentRegion < 3) log.buffer.fill(1, log.claim(1000));
  await log.commit();
  return log;
}

/** Resolves when everything asked for before is done. */
async function settled(): Promise<void> {
  await maintenance.scrub(0);
}

describe('maintenance', () => {
  it('makes as many spares as are wanted, of the size asked for', async () => {
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 2 });
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 2 });
    await settled();
    expect(spares()).toHaveLength(2);
    for (const name of spares()) expect(statSync(join(directory, name)).size).toBe(SEGMENT_BYTES);
  });

  it('stores digests that a log has gathered, unless their segments are gone', async () => {
    const log = await longLog();
    const digest = new Uint8Array([1, 2, 3]);
    for (const index of [1, 7]) maintenance.keepDigest({ directory, index, digest });
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 0 });
    await settled();
    const digests = readdirSync(directory).filter((name) => name.includes('digest'));
    expect(digests).toEqual(['digest-000000000001']);
    expect([...readFileSync(join(directory, digests[0]!))]).toEqual([1, 2, 3]);
    expect(warnings).toEqual([]);
    await log.close();
  });

  it('makes spares of the size that the log has, whatever is asked for', async () => {
    const durability = { mode: 'fsync' } as const;
    const settings = { directory, segmentBytes: 8192, windowBytes: 8192, durability };
    const { log } = openWal(settings, () => {});
    log.buffer[log.claim(1)] = 1;
    await log.close();
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 1 });
    await settled();
    expect(spares().map((name) => statSync(join(directory, name)).size)).toEqual([8192]);
  });

  it('removes spares that a crash has left half-made', async () => {
    writeFileSync(join(directory, 'unfinished-0123'), 'x');
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 0 });
    await settled();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('removes what a log has given up, digests included', async () => {
    const log = await longLog();
    for (const index of [0, 2]) writeFileSync(join(directory, `digest-00000000000${index}`), 'x');
    renameSync(join(directory, 'segment-000000000000'), join(directory, 'unfinished-00'));
    maintenance.preallocate({ directory, segmentBytes: 8192, sparesWanted: 0 });
    await settled();
    const left = ['digest-000000000002', 'segment-000000000001', 'segment-000000000002'];
    expect(readdirSync(directory).toSorted()).toEqual([...left, 'segment-000000000003']);
    await log.close();
  });

  it('removes all of much that was given up, and its end waits for none of it', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `unfinished-${(16 + i).toString(16)}`);
    const giveUp = () => names.forEach((name) => writeFileSync(join(directory, name), 'x'));
    giveUp();
    maintenance.preallocate({ directory, segmentBytes: 8192, sparesWanted: 1 });
    while (readdirSync(directory).length > 1) await new Promise((resolve) => setImmediate(resolve));
    expect(spares()).toHaveLength(1);
    giveUp();
    maintenance.preallocate({ directory, segmentBytes: 8192, sparesWanted: 1 });
    await maintenance.close();
    expect(readdirSync(directory).length).toBeGreaterThan(names.length / 2);
    expect(warnings).toEqual([]);
  });

  it('that fails is logged and keeps nothing else from being done', async () => {
    writeFileSync(join(directory, 'file'), '');
    const wrong = join(directory, 'file/log');
    maintenance.preallocate({ directory: wrong, segmentBytes: SEGMENT_BYTES, sparesWanted: 1 });
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 1 });
    await settled();
    expect(spares()).toHaveLength(1);
    expect(warnings).toContainEqual(expect.objectContaining({ directory: wrong }));
  });

  it('finds damage in cold segments, and tells of it with file and offset', async () => {
    const log = await longLog();
    maintenance.preallocate({ directory, segmentBytes: 8192, sparesWanted: 0 });
    expect(await maintenance.scrub(0)).toEqual([]);
    const path = join(directory, 'segment-000000000001');
    const content = readFileSync(path);
    content[500]! ^= 1;
    writeFileSync(path, content);
    const damages = await maintenance.scrub(0);
    expect(damages).toEqual([expect.objectContaining({ file: path, offset: 64 })]);
    expect(maintenance.damages).toEqual(damages);
    expect(warnings).toContainEqual(expect.objectContaining({ file: path, offset: 64 }));
    await log.close();
  });

  it('writes the digests that a log lacks, by what was asked for last', async () => {
    const log = await longLog();
    const dist = new URL('../../../dist/log/wal/', import.meta.url).href;
    const module = join(directory, 'digest-worker.mjs');
    writeFileSync(
      module,
      `import { writeNextDigest } from '${dist}digest.js';
      import { NODE_STORAGE } from '${dist}storage.js';
      export const digest = (task) => writeNextDigest(NODE_STORAGE, task, () => {});`,
    );
    const worker = pathToFileURL(module);
    const task = { directory, contentVersion: 1, segmentsLeftAlone: 2 };
    const fewer = { ...task, segmentsLeftAlone: 1 };
    await Promise.all([maintenance.digest(worker, task), maintenance.digest(worker, fewer)]);
    const digests = readdirSync(directory).filter((name) => name.startsWith('digest-0'));
    expect(warnings).toEqual([]);
    expect(digests).toEqual([0, 1, 2].map((index) => `digest-00000000000${index}`));
    expect(warnings).toEqual([]);
    await log.close();
  });

  it('that is closed takes nothing more on, and lets nothing half-made behind', async () => {
    maintenance.preallocate({ directory, segmentBytes: 1024 * 1024, sparesWanted: 1 });
    await maintenance.close();
    await maintenance.close();
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 3 });
    const closed = expect.objectContaining({ code: 'CAPSTAN_CLOSED' });
    await expect(maintenance.run(new URL(import.meta.url), 'x', {})).rejects.toEqual(closed);
    expect(spares()).toHaveLength(1);
    expect(readdirSync(directory)).toHaveLength(1);
    expect(warnings).toEqual([]);
  });
});
