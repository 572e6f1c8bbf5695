import { afterEach, expect, test, vi } from 'vitest';
import { type ClockAnchor, steadyClock } from '../../../src/base/clock.ts';

const WALL_MS = 1_700_000_000_000;
const READING_NS = 1000n;

afterEach(() => vi.restoreAllMocks());

/** A machine on which every look at a clock takes a microsecond; before the looks that are numbered
 *  in `interruptedAt`, the thread has to wait for `interruptionMs`. */
function machine(interruptedAt: readonly number[], interruptionMs: number) {
  let elapsedNs = 0n;
  let looks = 0;
  const look = () => {
    if (interruptedAt.includes(looks++)) elapsedNs += BigInt(interruptionMs) * 1_000_000n;
    elapsedNs += READING_NS;
    return elapsedNs;
  };
  // The origin of this one differs from thread to thread.
  vi.spyOn(performance, 'now').mockImplementation(() => Number(look()) / 1e6 - 12_345.678);
  vi.spyOn(process.hrtime, 'bigint').mockImplementation(look);
  const anchor: ClockAnchor = { wallMs: WALL_MS, monotonicNs: 0n };
  return { anchor, trueMs: () => WALL_MS + Number(elapsedNs) / 1e6 };
}

test.each([
  ['before its first reading', [0]],
  ['between its first two readings', [1]],
  ['between the second and the third', [2]],
  ['in half of its samples', [1, 4, 8, 13, 16, 19, 23, 25]],
])('a thread that is interrupted %s while it sets its clock is not late for good', (_, at) => {
  const { anchor, trueMs } = machine(at, 40);
  const clock = steadyClock(anchor);
  const now = clock();
  expect(Math.abs(now - trueMs())).toBeLessThanOrEqual(1);
});

test('a wall clock that is set back or forward changes nothing', () => {
  const { anchor, trueMs } = machine([], 0);
  const clock = steadyClock(anchor);
  vi.spyOn(Date, 'now').mockReturnValue(0);
  expect(Math.abs(clock() - trueMs())).toBeLessThanOrEqual(1);
});
