/* Drives the queue objects that the embedded broker and the remote client share. */

import type { Broker, Message, Queue, QueueAttributes } from 'capstan/client';
import { BodyBatch, readSequence } from '../harness/bodies.ts';
import { type Driver, type DriverOptions, groupOf, type Receiver, type Sender } from './driver.ts';

class ObjectSender implements Sender {
  readonly #queue: Queue;
  readonly #bodies: BodyBatch;
  readonly #groups: number | undefined;

  constructor(queue: Queue, { batch, bodyBytes, groups }: DriverOptions) {
    this.#queue = queue;
    this.#bodies = new BodyBatch(batch, bodyBytes);
    this.#groups = groups;
  }

  async send(first: number, count: number): Promise<void> {
    const groups = this.#groups;
    const bodies = this.#bodies.numbered(first, count);
    const outcomes = await this.#queue.sendBatch(
      groups === undefined
        ? bodies.map((body) => ({ body }))
        : bodies.map((body, i) => ({ body, groupId: groupOf(first + i, groups) })),
    );
    for (const { error } of outcomes) {
      if (error !== undefined) throw new Error(`A message was refused: ${error}`);
    }
  }
}

class ObjectReceiver implements Receiver {
  readonly #queue: Queue;
  readonly #waitMs: number;

  constructor(queue: Queue, { waitMs }: DriverOptions) {
    this.#queue = queue;
    this.#waitMs = waitMs;
  }

  async receive(max: number) {
    const messages = await this.#queue.receive({ max, waitMs: this.#waitMs });
    return { sequences: messages.map(({ body }) => readSequence(body)), receipts: messages };
  }

  async delete(receipts: readonly Message[]): Promise<void> {
    const errors = await this.#queue.deleteBatch(receipts);
    for (const error of errors) {
      if (error !== undefined) throw new Error(`A deletion failed: ${error}`);
    }
  }
}

function attributesOf(groups: number | undefined): Partial<QueueAttributes> {
  if (groups === undefined) return {};
  return {
    fifo: true,
    contentBasedDeduplication: true,
    deduplicationScope: 'messageGroup',
    throughputLimit: 'perMessageGroupId',
  };
}

/** Senders and receivers take turns on `brokers`. */
export function driveObjects(brokers: readonly Broker[], options: DriverOptions): Driver {
  let turn = 0;
  const nextQueue = (name: string) => brokers[turn++ % brokers.length]!.queue(name);
  return {
    createQueue: async (queue = options.queue) => {
      await brokers[0]!.createQueue(queue, attributesOf(options.groups));
    },
    sender: async (queue = options.queue) => new ObjectSender(nextQueue(queue), options),
    receiver: async (queue = options.queue) => new ObjectReceiver(nextQueue(queue), options),
    close: async () => {
      await Promise.all(brokers.map((broker) => broker.close()));
    },
  };
}
