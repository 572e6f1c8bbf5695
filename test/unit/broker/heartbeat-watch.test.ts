import { expect, test } from 'vitest';
import { HEARTBEAT_INTERVAL_MS } from '../../../src/base/limits.ts';
import { HeartbeatWatch } from '../../../src/broker/heartbeat-watch.ts';

const TIMEOUT_MS = 4 * HEARTBEAT_INTERVAL_MS;

/** How many looks in a row find nothing, before one finds that the thread hangs. */
function looks(watch: HeartbeatWatch, beat: number, starting: boolean): number {
  let count = 1;
  while (!watch.isHung(beat, starting)) count++;
  return count;
}

test('a thread that has not beaten for as many looks as its timeout has hangs', () => {
  const watch = new HeartbeatWatch(TIMEOUT_MS, 7);
  expect(watch.isHung(8, false)).toBe(false);
  expect(looks(watch, 8, false)).toBe(4);
});

test('one beat in time is enough', () => {
  const watch = new HeartbeatWatch(TIMEOUT_MS, 0);
  for (let look = 3; look < 100; look++) {
    expect(watch.isHung(Math.floor(look / 3), false)).toBe(false);
  }
});

test('a thread that starts is given more time', () => {
  expect(looks(new HeartbeatWatch(TIMEOUT_MS, 0), 0, true)).toBe(16);
});

test('a thread that hangs on is said to once more, after as many looks again', () => {
  const watch = new HeartbeatWatch(TIMEOUT_MS, 0);
  expect(looks(watch, 0, false)).toBe(4);
  expect(looks(watch, 0, false)).toBe(4);
});
