import { expect, it, vi } from 'vitest';
import type { Driver } from '../../../native-free-bench/drivers/driver.ts';
import { load } from '../../../native-free-bench/loads/backlog.ts';

const MESSAGES = 20;
const BATCH = 5;
function deferred() {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

const ended = deferred();

/** A queue whose receives, once it is empty, wait until the clock has been stopped. */
function fullQueue(): Driver {
  let next = 0;
  return {
    createQueue: async () => undefined,
    sender: () => Promise.reject(new Error('Nobody sends.')),
    receiver: async () => ({
      receive: async (max) => {
        const count = Math.min(max, MESSAGES - next);
        const sequences = Array.from({ length: count }, (_, i) => next + i);
        next += count;
        if (count === 0) await ended.promise;
        return { sequences, receipts: sequences };
      },
      delete: async () => undefined,
    }),
    close: async () => undefined,
  };
}

vi.mock('../../../native-free-bench/drivers/drivers.ts', () => ({
  openDriver: async () => fullQueue(),
}));

it('a drain is over with its last message, not with the lanes that wait for more', async () => {
  const options = { url: '', queue: '', bodyBytes: 0, batch: BATCH, connections: 1, waitMs: 0 };
  const plan = {
    driver: 'websocket',
    options,
    way: 'drain',
    messages: MESSAGES,
    lanes: 8,
  } as const;
  const { ledger } = await load(plan, {
    index: 0,
    processes: 1,
    begin: async () => undefined,
    end: () => ended.resolve(),
  });
  expect(ledger?.deleted.count).toBe(MESSAGES);
});
