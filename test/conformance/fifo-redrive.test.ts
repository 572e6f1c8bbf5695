/* Redrives of FIFO dead-letter queues to queues whose groups live on other partitions; driven
 * through the built broker, whose partitions crash meanwhile. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SILENT_LOGGER } from '../../src/base/logger.ts';
import type { Broker } from '../../src/broker/broker.ts';
import type { DeliveredMessage, QueueService } from '../../src/broker/service.ts';
import type { QueueAttributes, QueueDefinition } from '../../src/command/queue-definition.ts';
import { builtBroker } from '../support/built.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PARTITIONS = 3;
const SEGMENT_BYTES = 2 * 1024 * 1024;
const GROUPS = 12;
const PER_GROUP = 4;
const TOTAL = GROUPS * PER_GROUP;
const FOREVER_MS = 600_000;
const SPREAD: Partial<QueueAttributes> = {
  fifo: true,
  deduplicationScope: 'messageGroup',
  throughputLimit: 'perMessageGroupId',
};

let folder: ReturnType<typeof temporaryFolder>;
let broker: Broker;
let service: QueueService;

async function open(partitions = PARTITIONS): Promise<void> {
  const BuiltBroker = await builtBroker();
  broker = await BuiltBroker.open({
    data: folder.path,
    partitions,
    faults: true,
    segmentBytes: SEGMENT_BYTES,
    memoryBytes: partitions * SEGMENT_BYTES,
    logger: SILENT_LOGGER,
  });
  service = broker.service;
}

beforeEach(async () => {
  folder = temporaryFolder();
  await open();
});
afterEach(async () => {
  await broker.close();
  folder[Symbol.dispose]();
});

/** Has `row.fifo`, whose groups are on all partitions, send all of its messages to `dead.fifo`. */
async function fillDeadLetterQueue(): Promise<void> {
  const dead = await service.createQueue('dead.fifo', { fifo: true });
  const redrivePolicy = { deadLetterQueue: 'dead.fifo', maxReceiveCount: 1 };
  const row = await service.createQueue('row.fifo', { ...SPREAD, redrivePolicy });
  for (let i = 0; i < PER_GROUP; i++) {
    const messages = Array.from({ length: GROUPS }, (_, g) => ({
      body: `${i}`,
      groupId: `g${g}`,
      delayMs: 0,
    }));
    await service.send(row, messages);
  }
  while (service.counts(dead).visible < TOTAL) {
    await service.receive(row, { max: 1000, waitMs: 10, visibilityTimeoutMs: 1 });
  }
}

async function redrive(destination?: string): Promise<void> {
  const { taskId } = await service.startMoveTask('dead.fifo', destination, undefined);
  for (;;) {
    const task = (await service.listMoveTasks('dead.fifo', 10)).find((t) => t.taskId === taskId)!;
    if (task.status === 'RUNNING') {
      await sleep(2);
      continue;
    }
    expect(task).toMatchObject({ status: 'COMPLETED', moved: TOTAL });
    return;
  }
}

/** Receives `count` messages and holds them. */
async function take(queue: QueueDefinition, count: number): Promise<DeliveredMessage[]> {
  const taken: DeliveredMessage[] = [];
  while (taken.length < count) {
    const options = { max: count - taken.length, waitMs: 5000, visibilityTimeoutMs: FOREVER_MS };
    taken.push(...(await service.receive(queue, options)));
  }
  return taken;
}

function expectInOrder(messages: readonly DeliveredMessage[]): void {
  expect(messages).toHaveLength(TOTAL);
  for (let g = 0; g < GROUPS; g++) {
    const group = messages.filter(({ groupId }) => groupId === `g${g}`);
    expect(group.map((each) => each.text())).toEqual(['0', '1', '2', '3']);
  }
}

it('a redriven group joins that of its new queue, behind it and under its lock', async () => {
  await fillDeadLetterQueue();
  const other = await service.createQueue('other.fifo', { fifo: true });
  await service.send(other, [{ body: 'first', groupId: 'g0' }]);
  await redrive('other.fifo');
  const [first] = await take(other, 1);
  expect(first!.text()).toBe('first');
  // Its group is locked, whichever partition the others came from.
  const rest = await take(other, TOTAL - PER_GROUP);
  expect(rest.filter(({ groupId }) => groupId === 'g0')).toEqual([]);
  expect(await service.receive(other, { max: 10, waitMs: 0 })).toEqual([]);
  await service.delete(other, [first!]);
  expectInOrder([...rest, ...(await take(other, PER_GROUP))]);
});

it('partitions that crash while messages are on their way lose none and double none', async () => {
  await fillDeadLetterQueue();
  const other = await service.createQueue('other.fifo', { fifo: true });
  const redriven = redrive('other.fifo');
  for (let round = 0; round < 6; round++) {
    const partition = round % PARTITIONS;
    await broker.fault(partition, 'throw').catch(() => undefined);
  }
  await redriven;
  expectInOrder(await take(other, TOTAL));
  expect(service.counts(other)).toEqual({ visible: 0, inFlight: TOTAL, delayed: 0 });
});

it('a redrive finds the partitions of its sources after a new layout', async () => {
  await fillDeadLetterQueue();
  await broker.close();
  await open(2);
  await redrive();
  const row = service.findQueue('row.fifo')!;
  // They were redriven to where the queue's own sends go: each group is one.
  const messages = Array.from({ length: GROUPS }, (_, g) => ({ body: 'new', groupId: `g${g}` }));
  await service.send(row, messages);
  const all = await take(row, TOTAL + GROUPS);
  expectInOrder(all.filter((each) => each.text() !== 'new'));
  for (let g = 0; g < GROUPS; g++) {
    const group = all.filter(({ groupId }) => groupId === `g${g}`);
    expect(group.at(-1)!.text()).toBe('new');
  }
});
