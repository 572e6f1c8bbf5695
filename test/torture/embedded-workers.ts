/* Producers and consumers inside the broker's own process, over the calls that every door uses.
 * They go on whatever happens to partitions, and note all that they see. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DeliveredMessage, QueueService } from '../../src/broker/service.ts';
import type { OutgoingMessage } from '../../src/command/message-entry.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { bodyOf, type Content, contentOf, type Ledger, machineMs } from './ledger.ts';

export interface EmbeddedWorker {
  readonly service: QueueService;
  readonly queue: QueueDefinition;
  readonly ledger: Ledger;
  readonly name: string;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
}

const RETRY_MS = 5;
const BATCH_MAX = 20;
const BACKLOG_MAX = 500;

/** Sends until `signal`; to `groups`, which nobody else sends to, on a FIFO queue. What was begun
 *  is sent to its end. */
export async function produceEmbedded(
  { service, queue, ledger, name, random, signal }: EmbeddedWorker,
  groups?: readonly string[],
): Promise<void> {
  const orders = new Map<string, number>();
  for (let made = 0; !signal.aborted; ) {
    const size = 1 + random.below(BATCH_MAX);
    let left = Array.from({ length: size }, (_, i): Content => {
      const key = `${name}:${made + i}`;
      if (groups === undefined) return { key };
      const group = groups[random.below(groups.length)]!;
      const order = orders.get(group) ?? 0;
      orders.set(group, order + 1);
      return { key, group, order };
    });
    made += size;
    while (left.length > 0) left = await sendOnce(service, queue, ledger, left);
    // Consumers that cannot keep up would see the same few messages only.
    while (!signal.aborted && service.counts(queue).visible > BACKLOG_MAX) await sleep(RETRY_MS);
  }
}

/** Returns what was not accepted. */
async function sendOnce(
  service: QueueService,
  queue: QueueDefinition,
  ledger: Ledger,
  contents: readonly Content[],
): Promise<Content[]> {
  const from = machineMs();
  for (const content of contents) ledger.note({ kind: 'sending', at: from, ...content });
  const messages = contents.map((content): OutgoingMessage => {
    const { key, group } = content;
    const ids = group === undefined ? {} : { groupId: group, deduplicationId: key };
    return { body: bodyOf(content), ...ids };
  });
  const outcomes = await orRetry(() => service.send(queue, messages));
  if (outcomes === undefined) return [...contents];
  const to = machineMs();
  return contents.filter((content, i) => {
    const { error, messageId } = outcomes[i]!;
    if (error === undefined) ledger.note({ kind: 'sent', messageId, from, to, ...content });
    return error !== undefined;
  });
}

/** Receives and deletes until `signal`; forgets what it received now and then. */
export async function consumeEmbedded(worker: EmbeddedWorker, forgetOneIn: number): Promise<void> {
  const { service, queue, ledger, name, random, signal } = worker;
  const { visibilityTimeoutMs: visibilityMs } = queue.attributes;
  for (let life = 0; !signal.aborted; ) {
    const from = machineMs();
    const max = 1 + random.below(BATCH_MAX);
    const messages = await orRetry(() => service.receive(queue, { max, waitMs: 50, signal }));
    for (const message of messages ?? []) {
      const { messageId, receiveCount } = message;
      ledger.note({
        kind: 'received',
        messageId,
        consumer: `${name}.${life}`,
        receiveCount,
        visibilityMs,
        from,
        to: machineMs(),
        ...contentOf(message.text()),
      });
    }
    if (messages === undefined || messages.length === 0) continue;
    if (random.oneIn(forgetOneIn)) life++;
    else await deleteAll(worker, messages, from + visibilityMs / 2);
  }
}

async function deleteAll(
  { service, queue, ledger }: EmbeddedWorker,
  messages: readonly DeliveredMessage[],
  until: number,
): Promise<void> {
  let left = messages;
  while (left.length > 0 && machineMs() < until) {
    const asked = left;
    const from = machineMs();
    for (const { messageId } of asked) ledger.note({ kind: 'deleting', messageId, at: from });
    const results = await orRetry(() => service.delete(queue, asked));
    if (results === undefined) continue;
    left = asked.filter((message, i) => {
      const { messageId } = message;
      if (results[i] !== undefined) return true;
      ledger.note({ kind: 'deleted', messageId, from, to: machineMs() });
      return false;
    });
    if (left.length > 0) await sleep(RETRY_MS);
  }
}

/** Undefined when a partition was not there for it. */
async function orRetry<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    const retryable = error instanceof Error && 'retryable' in error && error.retryable === true;
    if (!retryable) throw error;
    await sleep(RETRY_MS);
    return undefined;
  }
}

/** Consumes until the queue holds nothing any longer. */
export async function drainEmbedded(worker: Omit<EmbeddedWorker, 'signal'>): Promise<void> {
  const stop = new AbortController();
  const consuming = consumeEmbedded({ ...worker, signal: stop.signal }, Number.MAX_SAFE_INTEGER);
  const { service, queue } = worker;
  for (;;) {
    const { visible, inFlight, delayed } = service.counts(queue);
    if (visible + inFlight + delayed === 0) break;
    await sleep(10);
  }
  stop.abort();
  await consuming;
}
