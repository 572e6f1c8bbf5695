import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { OpenLoop } from '../../../native-free-bench/loads/open-loop.ts';

const EVERY_MS = 1;
const MESSAGES = 10;

function loopOf(send: () => Promise<void>) {
  const clock = { ms: 0 };
  const parameters = {
    options: { url: '', queue: 'q', bodyBytes: 64, batch: 1, connections: 1, waitMs: 0 },
    messagesPerSecond: 1000 / EVERY_MS,
    warmupSeconds: 0,
    seconds: (MESSAGES * EVERY_MS) / 1000,
  };
  return { clock, loop: new OpenLoop(parameters, [{ send }], () => clock.ms) };
}

describe('the open loop', () => {
  it('charges a stall to every message that was due in it, not only to one', async () => {
    let answer: () => void = () => undefined;
    let stalled = true;
    const { clock, loop } = loopOf(() =>
      stalled
        ? new Promise((resolve) => {
            answer = resolve;
          })
        : Promise.resolve(),
    );
    loop.pump();
    clock.ms = 10;
    loop.pump(); // Nine more are due; the only sender hangs.
    stalled = false;
    answer();
    await turn();
    expect(loop.enqueue.count).toBe(MESSAGES);
    // Due at 0 .. 9 ms, acknowledged at 10: that nine went out at 10 and took no time is no excuse.
    expect(loop.enqueue.percentiles().max).toBe(10);
    expect(loop.enqueue.quantileMs(0.5)).toBeCloseTo(5, 1);
    expect(loop.enqueue.quantileMs(0.1)).toBeCloseTo(1, 1);
  });

  it('tells how late it was itself', async () => {
    const { clock, loop } = loopOf(() => Promise.resolve());
    loop.pump();
    clock.ms = 4;
    loop.pump();
    await turn();
    expect(loop.lag.count).toBe(5);
    expect(loop.lag.percentiles().max).toBe(3);
  });

  it('sends nothing before it is due', () => {
    const { clock, loop } = loopOf(() => Promise.resolve());
    clock.ms = 0.5;
    loop.pump();
    loop.pump();
    expect(loop.lag.count).toBe(1);
  });
});
