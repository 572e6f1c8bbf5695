import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SILENT_LOGGER } from '../../../src/base/logger.ts';
import { Maintenance as SourceMaintenance } from '../../../src/broker/maintenance.ts';
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

  it('that fails is logged and keeps nothing else from being done', async () => {
    writeFileSync(join(directory, 'file'), '');
    const wrong = join(directory, 'file/log');
    maintenance.preallocate({ directory: wrong, segmentBytes: SEGMENT_BYTES, sparesWanted: 1 });
    maintenance.preallocate({ directory, segmentBytes: SEGMENT_BYTES, sparesWanted: 1 });
    await settled();
    expect(spares()).toHaveLength(1);
    expect(warnings).toContainEqual(expect.objectContaining({ directory: wrong }));
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
