/* beanstalkd: put, reserve and delete. It has no batches; a batch is as many commands in one
 * write. */

import { BodyBatch, readSequence } from '../harness/bodies.ts';
import { countOf, type ParseReply, ReplyStream } from '../harness/reply-stream.ts';
import { type DriverOptions, type OpenDriver, type Receiver, type Sender } from './driver.ts';

const CRLF = Buffer.from('\r\n', 'latin1');
const TIME_TO_RUN_SECONDS = 120;

interface Reply {
  readonly words: readonly string[];
  readonly body: Buffer | undefined;
}

const parse: ParseReply<Reply> = (bytes, at) => {
  const lineEnd = bytes.indexOf(CRLF, at);
  if (lineEnd < 0) return undefined;
  const words = bytes.toString('latin1', at, lineEnd).split(' ');
  const next = lineEnd + CRLF.length;
  if (words[0] !== 'RESERVED') return { value: { words, body: undefined }, next };
  const end = next + Number(words[2]);
  if (bytes.length < end + CRLF.length) return undefined;
  return { value: { words, body: bytes.subarray(next, end) }, next: end + CRLF.length };
};

async function expectAll(
  stream: ReplyStream<Reply>,
  bytes: Uint8Array | string,
  count: number,
  word: string,
): Promise<void> {
  const replies = await stream.request(bytes, countOf(count));
  const other = replies.find(({ words }) => words[0] !== word);
  if (other !== undefined) throw new Error(`beanstalkd: ${other.words.join(' ')}`);
}

class TubeSender implements Sender {
  readonly #stream: ReplyStream<Reply>;
  readonly #bodies: BodyBatch;
  readonly #head: Buffer;

  constructor(stream: ReplyStream<Reply>, options: DriverOptions) {
    this.#stream = stream;
    this.#bodies = new BodyBatch(options.batch, options.bodyBytes);
    this.#head = Buffer.from(`put 0 0 ${TIME_TO_RUN_SECONDS} ${options.bodyBytes}\r\n`, 'latin1');
  }

  async send(first: number, count: number): Promise<void> {
    const parts = this.#bodies.numbered(first, count).flatMap((body) => [this.#head, body, CRLF]);
    await expectAll(this.#stream, Buffer.concat(parts), count, 'INSERTED');
  }
}

class TubeReceiver implements Receiver {
  readonly #stream: ReplyStream<Reply>;
  readonly #waitSeconds: number;

  constructor(stream: ReplyStream<Reply>, waitMs: number) {
    this.#stream = stream;
    this.#waitSeconds = Math.ceil(waitMs / 1000);
  }

  async receive(max: number) {
    // The first waits; the others take what is there.
    const text = `reserve-with-timeout ${this.#waitSeconds}\r\n`;
    const rest = 'reserve-with-timeout 0\r\n'.repeat(max - 1);
    const replies = await this.#stream.request(text + rest, countOf(max));
    const reserved = replies.filter(({ body }) => body !== undefined);
    return {
      sequences: reserved.map(({ body }) => readSequence(body!)),
      receipts: reserved.map(({ words }) => words[1]),
    };
  }

  async delete(ids: readonly string[]): Promise<void> {
    const text = ids.map((id) => `delete ${id}\r\n`).join('');
    await expectAll(this.#stream, text, ids.length, 'DELETED');
  }
}

export const open: OpenDriver = async (options) => {
  const streams: ReplyStream<Reply>[] = [];
  const openStream = async (): Promise<ReplyStream<Reply>> => {
    const stream = await ReplyStream.open(options.url, parse);
    streams.push(stream);
    return stream;
  };
  return {
    createQueue: async () => undefined, // Tubes exist once they are used.
    sender: async (queue = options.queue) => {
      const stream = await openStream();
      await stream.request(`use ${queue}\r\n`);
      return new TubeSender(stream, options);
    },
    receiver: async (queue = options.queue) => {
      const stream = await openStream();
      await stream.request(`watch ${queue}\r\n`);
      return new TubeReceiver(stream, options.waitMs);
    },
    close: async () => {
      for (const stream of streams) stream.close();
    },
  };
};
