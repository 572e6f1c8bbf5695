/* RabbitMQ: a quorum queue, publisher confirms, consumers with prefetch and acknowledgements.
 * (AMQP does not answer an acknowledgement: a deletion counts once it is on its way.) */

import { BodyBatch, readSequence } from '../harness/bodies.ts';
import {
  AmqpConnection,
  int8,
  int16,
  int32,
  int64,
  METHODS,
  methodFrame,
  publishFrames,
  shortText,
  table,
} from './amqp-frames.ts';
import type { DriverOptions, OpenDriver, Receiver, Sender } from './driver.ts';
import { Prefetched } from './prefetched.ts';

const DURABLE = 2;

class ConfirmedSender implements Sender {
  readonly #connection: AmqpConnection;
  readonly #bodies: BodyBatch;
  readonly #head: Buffer;
  readonly #tail: Buffer;
  #published = 0;
  #confirmed = 0;
  #done: (() => void) | undefined;

  constructor(connection: AmqpConnection, queue: string, options: DriverOptions) {
    this.#connection = connection;
    this.#bodies = new BodyBatch(options.batch, options.bodyBytes);
    const { head, tail } = publishFrames(queue, options.bodyBytes);
    this.#head = head;
    this.#tail = tail;
    connection.onMethod = (method, args) => {
      if (method === METHODS.basicAck) this.#confirm(args);
    };
  }

  /** Confirms may come out of order, one by one or all up to a tag; only the count matters here. */
  #confirm(args: Buffer): void {
    const tag = Number(args.readBigUInt64BE(0));
    const multiple = args[8] === 1;
    this.#confirmed = multiple ? Math.max(this.#confirmed, tag) : this.#confirmed + 1;
    if (this.#confirmed >= this.#published) this.#done?.();
  }

  async send(first: number, count: number): Promise<void> {
    this.#published += count;
    const confirmed = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    const bodies = this.#bodies.numbered(first, count);
    const parts = bodies.flatMap((body) => [this.#head, body, this.#tail]);
    this.#connection.write(Buffer.concat(parts));
    await confirmed;
  }
}

class PrefetchReceiver implements Receiver {
  readonly #connection: AmqpConnection;
  readonly #waitMs: number;
  readonly #prefetched = new Prefetched();
  #tag = 0;

  constructor(connection: AmqpConnection, waitMs: number) {
    this.#connection = connection;
    this.#waitMs = waitMs;
    connection.onMethod = (method, args) => {
      if (method !== METHODS.basicDeliver) return;
      const consumerTagBytes = 1 + args[0]!;
      this.#tag = Number(args.readBigUInt64BE(consumerTagBytes));
    };
    connection.onBody = (body) => this.#prefetched.add(readSequence(body), this.#tag);
  }

  receive(max: number) {
    return this.#prefetched.take(max, this.#waitMs);
  }

  async delete(tags: readonly number[]): Promise<void> {
    // Tags of one channel come in order: the last of a batch stands for all before it.
    const last = tags.at(-1)!;
    this.#connection.write(methodFrame(METHODS.basicAck, int64(last), int8(1)));
  }
}

export const open: OpenDriver = async (options) => {
  const connections: AmqpConnection[] = [];
  const openConnection = async (): Promise<AmqpConnection> => {
    const connection = await AmqpConnection.open(options.url);
    connections.push(connection);
    return connection;
  };
  const first = await openConnection();
  return {
    createQueue: async (queue = options.queue) => {
      const kind = table({ 'x-queue-type': 'quorum' });
      const args = [int16(0), shortText(queue), int8(DURABLE), kind];
      await first.exchange(methodFrame(METHODS.queueDeclare, ...args), METHODS.queueDeclareOk);
    },
    sender: async (queue = options.queue) => {
      const connection = await openConnection();
      const select = methodFrame(METHODS.confirmSelect, int8(0));
      await connection.exchange(select, METHODS.confirmSelectOk);
      return new ConfirmedSender(connection, queue, options);
    },
    receiver: async (queue = options.queue) => {
      const connection = await openConnection();
      const prefetch = Math.max(2, options.batch * 2);
      const qos = methodFrame(METHODS.basicQos, int32(0), int16(prefetch), int8(0));
      await connection.exchange(qos, METHODS.basicQosOk);
      const receiver = new PrefetchReceiver(connection, options.waitMs);
      const args = [int16(0), shortText(queue), shortText(''), int8(0), table({})];
      await connection.exchange(methodFrame(METHODS.basicConsume, ...args), METHODS.basicConsumeOk);
      return receiver;
    },
    close: async () => {
      for (const connection of connections) connection.close();
    },
  };
};
