/* Redis Streams: XADD, XREADGROUP, and XACK with XDEL. Batches are pipelined, which is how Redis
 * groups commits. */

import { BodyBatch, readSequence } from '../harness/bodies.ts';
import { countOf, type ParseReply, ReplyStream } from '../harness/reply-stream.ts';
import {
  type DriverOptions,
  NOTHING,
  type OpenDriver,
  type Receiver,
  type Sender,
} from './driver.ts';

const GROUP = 'consumers';
const CRLF = Buffer.from('\r\n', 'latin1');

export type RedisReply = Buffer | string | number | null | readonly RedisReply[];

/** RESP, version 2. */
export const parseRedis: ParseReply<RedisReply> = (bytes, at) => {
  const lineEnd = bytes.indexOf(CRLF, at);
  if (lineEnd < 0) return undefined;
  const kind = String.fromCharCode(bytes[at]!);
  const line = bytes.toString('latin1', at + 1, lineEnd);
  const next = lineEnd + CRLF.length;
  if (kind === '+') return { value: line, next };
  if (kind === ':') return { value: Number(line), next };
  if (kind === '-') throw new Error(`Redis: ${line}`);
  const length = Number(line);
  if (length < 0) return { value: null, next };
  if (kind === '$') {
    const end = next + length;
    if (bytes.length < end + CRLF.length) return undefined;
    return { value: bytes.subarray(next, end), next: end + CRLF.length };
  }
  const values: RedisReply[] = [];
  let position = next;
  while (values.length < length) {
    const element = parseRedis(bytes, position);
    if (element === undefined) return undefined;
    values.push(element.value);
    position = element.next;
  }
  return { value: values, next: position };
};

function command(...words: readonly string[]): string {
  const texts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return `*${words.length}\r\n${texts.join('')}`;
}

class StreamSender implements Sender {
  readonly #stream: ReplyStream<RedisReply>;
  readonly #bodies: BodyBatch;
  readonly #head: Buffer;

  constructor(stream: ReplyStream<RedisReply>, queue: string, options: DriverOptions) {
    this.#stream = stream;
    this.#bodies = new BodyBatch(options.batch, options.bodyBytes);
    const words = ['XADD', queue, '*', 'b'].map((word) => `$${word.length}\r\n${word}\r\n`);
    this.#head = Buffer.from(`*5\r\n${words.join('')}$${options.bodyBytes}\r\n`, 'latin1');
  }

  async send(first: number, count: number): Promise<void> {
    const parts = this.#bodies.numbered(first, count).flatMap((body) => [this.#head, body, CRLF]);
    await this.#stream.request(Buffer.concat(parts), countOf(count));
  }
}

type StreamEntries = readonly (readonly [stream: Buffer, entries: readonly StreamEntry[]])[];
type StreamEntry = readonly [id: Buffer, fields: readonly [name: Buffer, body: Buffer]];

class StreamReceiver implements Receiver {
  readonly #stream: ReplyStream<RedisReply>;
  readonly #queue: string;
  readonly #consumer: string;
  readonly #waitMs: number;

  constructor(stream: ReplyStream<RedisReply>, queue: string, consumer: string, waitMs: number) {
    this.#stream = stream;
    this.#queue = queue;
    this.#consumer = consumer;
    this.#waitMs = waitMs;
  }

  async receive(max: number) {
    const who = ['XREADGROUP', 'GROUP', GROUP, this.#consumer];
    const what = ['COUNT', String(max), 'BLOCK', String(this.#waitMs), 'STREAMS', this.#queue, '>'];
    const [reply] = await this.#stream.request(command(...who, ...what));
    if (reply === null || reply === undefined) return NOTHING;
    const [[, entries]] = reply as unknown as [StreamEntries[number]];
    return {
      sequences: entries.map(([, [, body]]) => readSequence(body)),
      receipts: entries.map(([id]) => id.toString('latin1')),
    };
  }

  async delete(ids: readonly string[]): Promise<void> {
    const acknowledge = command('XACK', this.#queue, GROUP, ...ids);
    const remove = command('XDEL', this.#queue, ...ids);
    const counts = await this.#stream.request(acknowledge + remove, countOf(2));
    if (counts.some((count) => count !== ids.length)) throw new Error('Redis deleted too few.');
  }
}

export const open: OpenDriver = async (options) => {
  const streams: ReplyStream<RedisReply>[] = [];
  const openStream = async (): Promise<ReplyStream<RedisReply>> => {
    const stream = await ReplyStream.open(options.url, parseRedis);
    streams.push(stream);
    return stream;
  };
  const first = await openStream();
  return {
    createQueue: async (queue = options.queue) => {
      const create = command('XGROUP', 'CREATE', queue, GROUP, '0', 'MKSTREAM');
      await first.request(create).catch((error: Error) => {
        if (!error.message.includes('BUSYGROUP')) throw error;
      });
    },
    sender: async (queue = options.queue) => new StreamSender(await openStream(), queue, options),
    receiver: async (queue = options.queue) => {
      const stream = await openStream();
      return new StreamReceiver(stream, queue, `c${streams.length}-${process.pid}`, options.waitMs);
    },
    close: async () => {
      for (const stream of streams) stream.close();
    },
  };
};
