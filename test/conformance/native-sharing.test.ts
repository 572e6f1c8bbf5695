/* Many consumers, few partitions, and the other way round: nobody starves, and nothing is left. */

import { afterEach, describe, expect, it } from 'vitest';
import type { Broker } from '../../src/client/broker.ts';
import type { Consumer } from '../../src/client/consumer.ts';
import { NATIVE_TRANSPORTS, type OpenTransport } from '../support/native-transports.ts';

let open: OpenTransport | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** Consumers that handle one message at a time, each with its own count. */
function consumers(brokers: readonly Broker[], queue: string, each: number, counts: number[]) {
  const all: Consumer[] = [];
  for (const broker of brokers) {
    for (let i = 0; i < each; i++) {
      const index = counts.push(0) - 1;
      const handler = async () => {
        counts[index]!++;
        await new Promise((resolve) => setTimeout(resolve, 2));
      };
      all.push(broker.queue(queue).consume(handler, { prefetch: 2 }));
    }
  }
  return all;
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

async function send(queue: ReturnType<Broker['queue']>, total: number, groupId?: string) {
  for (let i = 0; i < total; i += 100) {
    await queue.sendBatch(Array.from({ length: 100 }, (_, j) => ({ body: `${i + j}`, groupId })));
  }
}

describe.each(NATIVE_TRANSPORTS)('consumers of one queue, $name', (transport) => {
  it('share 2 partitions among 100 of them', async () => {
    open = await transport.open(2);
    const opened = open;
    const queue = await opened.broker.createQueue('shared');
    const brokers = await Promise.all(Array.from({ length: 5 }, () => opened.another()));
    const counts: number[] = [];
    const all = consumers(brokers, 'shared', 20, counts);
    await send(queue, 4000);
    await expect.poll(() => sum(counts), { timeout: 30_000 }).toBe(4000);
    // 40 each, were it even.
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...counts)).toBeLessThanOrEqual(120);
    await Promise.all(all.map((consumer) => consumer.stop()));
  }, 60_000);

  it('share one partition that has everything, also when some come and go', async () => {
    open = await transport.open(4);
    const queue = await open.broker.createQueue('skewed');
    const counts: number[] = [];
    const first = consumers([open.broker], 'skewed', 4, counts);
    await send(queue, 1000, 'one group, one partition');
    await expect.poll(() => sum(counts), { timeout: 30_000 }).toBeGreaterThan(200);
    const late = consumers([await open.another()], 'skewed', 4, counts);
    await Promise.all(first.slice(2).map((consumer) => consumer.stop()));
    await send(queue, 1000, 'one group, one partition');
    await expect.poll(() => sum(counts), { timeout: 30_000 }).toBe(2000);
    expect(Math.min(...counts.slice(4))).toBeGreaterThan(50);
    await Promise.all([...first, ...late].map((consumer) => consumer.stop()));
  }, 60_000);

  it('are served by all of 16 partitions, though there is one of them', async () => {
    open = await transport.open(16);
    const queue = await open.broker.createQueue('spread');
    const groups = Array.from({ length: 400 }, (_, i) => ({ body: `${i}`, groupId: `${i}` }));
    await queue.sendBatch(groups);
    const seen = new Set<string>();
    const deletes: Promise<void>[] = [];
    for await (const message of queue.consume({ prefetch: 50 })) {
      seen.add(message.text());
      deletes.push(message.delete());
      if (seen.size === 400) break;
    }
    await Promise.all(deletes);
    expect(seen.size).toBe(400);
  }, 120_000);
});
