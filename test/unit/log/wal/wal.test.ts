import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../../../../src/log/log.ts';
import { openWal, type WalSettings } from '../../../../src/log/wal/wal.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'capstan-wal-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

interface Found {
  readonly text: string;
  readonly position: number;
}

function open(settings: Partial<WalSettings> = {}) {
  const found: Found[] = [];
  const { log, report } = openWal(
    {
      directory: join(directory, 'log'),
      segmentBytes: 64 * 1024,
      windowBytes: 16 * 1024,
      durability: { mode: 'fsync' },
      ...settings,
    },
    (buffer, _view, offset, length, position) => {
      found.push({ text: buffer.toString('latin1', offset, offset + length), position });
    },
  );
  return { log, report, found };
}

function append(log: Log, text: string): Found {
  const at = log.claim(text.length);
  log.buffer.write(text, at, 'latin1');
  return { text, position: log.claimedPosition };
}

describe('a log', () => {
  it('replays what was committed, in order and at its positions', async () => {
    const { log } = open();
    const written = Array.from({ length: 3 }, (_, i) => append(log, `record ${i}`));
    await log.commit();
    written.push(append(log, 'another'));
    await log.close();
    expect(open().found).toEqual(written);
  });

  it('reads each record back, from memory and from its segments, over many segments', async () => {
    const { log } = open();
    const written: Found[] = [];
    for (let i = 0; i < 2000; i++) {
      written.push(append(log, `${i} `.repeat(1 + (i % 97))));
      if (i % 7 === 0) await log.commit();
    }
    await log.commit();
    expect(log.currentRegion).toBeGreaterThan(4);
    for (const { text, position } of written) {
      log.read(position, text.length);
      const { readBuffer, readOffset } = log;
      expect(readBuffer.toString('latin1', readOffset, readOffset + text.length)).toBe(text);
    }
    await log.close();
    expect(open().found).toEqual(written);
  });
});
