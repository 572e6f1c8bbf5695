/* A small log, damaged at every byte in turn: it is refused, or it gives back exactly what was
 * written up to some record, and says so when that is not all. */

import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../src/base/errors.ts';
import { FaultyStorage } from '../support/faulty-storage.ts';
import { append, openLog, segmentPath, type TextRecord } from '../support/log-bench.ts';

const SEGMENT_BYTES = 4096;

/** Three commits of several records each. */
async function smallLog(close: boolean) {
  const storage = new FaultyStorage();
  const { log } = openLog(storage, { segmentBytes: SEGMENT_BYTES });
  const records: TextRecord[] = [];
  for (let commit = 0; commit < 3; commit++) {
    for (let i = 0; i < 3; i++) records.push(append(log, `${commit}.${i} `.repeat(1 + i)));
    await log.commit();
  }
  if (close) await log.close();
  storage.kill();
  const content = storage.content(segmentPath(0));
  const last = records.at(-1)!;
  return { content, records, endOffset: last.position + last.text.length };
}

type Outcome =
  | { readonly kind: 'refused'; readonly error: BrokerError }
  | { readonly kind: 'opened'; readonly records: number; readonly remark: string | undefined };

/** Opens a log of this one segment; what it holds must be a prefix of `written`. */
function outcomeOf(content: Buffer, written: readonly TextRecord[]): Outcome {
  const storage = new FaultyStorage();
  storage.setContent(segmentPath(0), content);
  try {
    const { found, report } = openLog(storage, { segmentBytes: SEGMENT_BYTES });
    expect(found).toEqual(written.slice(0, found.length));
    return { kind: 'opened', records: found.length, remark: report.remark };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { kind: 'refused', error };
  }
}

function requireNoSilentLoss(outcome: Outcome, written: number, where: string): void {
  if (outcome.kind === 'refused') {
    expect(outcome.error.code, where).toMatch(/^CAPSTAN_(LOG_CORRUPT|FORMAT_UNSUPPORTED)$/);
    expect(outcome.error.message, where).toMatch(/segment-000000000000, offset \d+|later format/);
  } else if (outcome.records < written) {
    expect(outcome.remark, where).toMatch(/offset \d+: the log ends before frame \d/);
  }
}

describe('a log with one bit changed', () => {
  it.each([
    { state: 'killed', close: false },
    { state: 'closed', close: true },
  ])('after it was $state is refused, or loses its last commit and says so', async ({ close }) => {
    const { content, records, endOffset } = await smallLog(close);
    for (let offset = 0; offset < endOffset + 64; offset++) {
      for (const bit of [0, 3, 7]) {
        const damaged = Buffer.from(content);
        damaged[offset]! ^= 1 << bit;
        const where = `offset ${offset}, bit ${bit}`;
        const outcome = outcomeOf(damaged, records);
        requireNoSilentLoss(outcome, records.length, where);
        const kept = outcome.kind === 'opened' ? outcome.records : records.length;
        // Only the last commit can be taken for a torn write, and not once the log was closed.
        expect(kept, where).toBeGreaterThanOrEqual(close ? records.length : records.length - 3);
      }
    }
  });
});

describe('a log whose last bytes never reached the disk', () => {
  it.each([
    { filling: 'zeros', byte: 0 },
    { filling: 'what lay there before', byte: 0xa5 },
  ])('holds a prefix at every byte, with $filling behind it', async ({ byte }) => {
    const { content, records, endOffset } = await smallLog(false);
    let most = 0;
    for (let cut = 64; cut <= endOffset + 8; cut++) {
      const torn = Buffer.from(content);
      torn.fill(byte, cut);
      const outcome = outcomeOf(torn, records);
      expect(outcome.kind, `cut at ${cut}`).toBe('opened');
      if (outcome.kind !== 'opened') continue;
      // Whole commits, never less than with fewer bytes.
      expect(outcome.records % 3, `cut at ${cut}`).toBe(0);
      expect(outcome.records, `cut at ${cut}`).toBeGreaterThanOrEqual(most);
      most = outcome.records;
    }
    expect(most).toBe(records.length);
  });

  it('goes on behind the cut, and never takes the torn bytes for data again', async () => {
    const { content, records, endOffset } = await smallLog(false);
    for (let cut = 64; cut <= endOffset; cut += 3) {
      const storage = new FaultyStorage();
      const torn = Buffer.from(content);
      torn.fill(0, cut);
      storage.setContent(segmentPath(0), torn);
      const { log, found } = openLog(storage, { segmentBytes: SEGMENT_BYTES });
      const later = append(log, 'later');
      await log.commit();
      storage.cutPower();
      const kept = records.slice(0, found.length);
      expect(openLog(storage).found, `cut at ${cut}`).toEqual([...kept, later]);
    }
  });
});

describe('a log whose file was cut off', () => {
  it('is refused at every length', async () => {
    const { content, records } = await smallLog(false);
    for (let length = 0; length < content.length; length += 13) {
      expect(outcomeOf(content.subarray(0, length), records).kind, `${length} bytes`).toBe(
        'refused',
      );
    }
  });
});
