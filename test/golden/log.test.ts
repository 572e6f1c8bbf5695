/* Opens what earlier versions of the format have written. The files are never written anew: who
 * changes the format adds some of the version before. */

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NODE_STORAGE } from '../../src/log/wal/storage.ts';
import { verifyLog } from '../../src/log/wal/verify.ts';
import { append, openLog, readText } from '../support/log-bench.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'capstan-golden-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function textOf(number: number): string {
  return `record ${number} `.repeat(1 + (number % 11) * 3);
}

const ALL = Array.from({ length: 30 }, (_, number) => textOf(number));

describe('a log of format 1', () => {
  beforeEach(() => {
    cpSync(fileURLToPath(new URL('log-1', import.meta.url)), directory, { recursive: true });
  });

  it('is opened, read, and gone on with', async () => {
    const settings = { directory, storage: NODE_STORAGE };
    const { log, found, report } = openLog(undefined, settings);
    expect(report.remark).toBeUndefined();
    expect(found.map(({ text }) => text)).toEqual(ALL);
    for (const record of found) expect(readText(log, record)).toBe(record.text);
    const added = append(log, 'added');
    await log.close();
    const again = openLog(undefined, settings);
    expect(again.found).toEqual([...found, added]);
    await again.log.close();
  });

  it('is opened by its digests', async () => {
    const settings = { directory, storage: NODE_STORAGE, digestContentVersion: 1 };
    const { log, found, report } = openLog(undefined, settings);
    expect(report).toMatchObject({ segments: 2, digests: 1, records: ALL.length });
    const texts = found.map(({ text }) => text);
    expect(texts.map((text) => text.slice(-4))).toEqual(ALL.map((text) => text.slice(-4)));
    await log.close();
  });

  it('is found sound', () => {
    const { damage, remark, records } = verifyLog(NODE_STORAGE, directory);
    expect({ damage, remark, records }).toEqual({
      damage: undefined,
      remark: undefined,
      records: ALL.length,
    });
  });
});
