/* NATS JetStream: a work-queue stream on disk, a pull consumer, acknowledgements that are
 * themselves acknowledged. Batches are many messages in one write. */

import type { Socket } from 'node:net';
import { BodyBatch, readSequence } from '../harness/bodies.ts';
import { openSocket } from '../harness/reply-stream.ts';
import type { DriverOptions, OpenDriver, Receiver, Sender } from './driver.ts';
import { Prefetched } from './prefetched.ts';

const CRLF = Buffer.from('\r\n', 'latin1');
const CONSUMER = 'consumers';
const ACK_WAIT_NS = 60e9;
const PULL_EXPIRES_NS = 30e9;
const ACK_PENDING_MAX = 100_000;

interface NatsMessage {
  readonly subject: string;
  readonly reply: string | undefined;
  /** Status line and headers of a message that has them. */
  readonly headers: string | undefined;
  readonly body: Buffer;
}

interface Waiting {
  readonly resolve: (message: NatsMessage) => void;
  readonly reject: (error: Error) => void;
}

let inboxes = 0;

class NatsConnection {
  readonly inbox = `_INBOX.${process.pid}.${inboxes++}`;
  onMessage: (message: NatsMessage) => void = () => undefined;
  readonly #socket: Socket;
  readonly #waiting = new Map<string, Waiting>();
  #bytes: Buffer = Buffer.alloc(0);
  #replies = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    const fail = (error: Error): void => {
      for (const { reject } of this.#waiting.values()) reject(error);
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('NATS closed the connection.')));
    const features = { verbose: false, pedantic: false, headers: true, no_responders: true };
    socket.write(`CONNECT ${JSON.stringify(features)}\r\nSUB ${this.inbox}.* 1\r\n`);
  }

  static async open(url: string): Promise<NatsConnection> {
    return new NatsConnection(await openSocket(url));
  }

  /** A subject for one reply, and the reply. */
  expectReply(): { subject: string; answered: Promise<NatsMessage> } {
    const subject = `${this.inbox}.${this.#replies++}`;
    const answered = new Promise<NatsMessage>((resolve, reject) => {
      this.#waiting.set(subject, { resolve, reject });
    });
    return { subject, answered };
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  async request(subject: string, body: string): Promise<NatsMessage> {
    const reply = this.expectReply();
    this.write(`PUB ${subject} ${reply.subject} ${body.length}\r\n${body}\r\n`);
    return reply.answered;
  }

  #take(chunk: Buffer): void {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    let at = 0;
    for (;;) {
      const lineEnd = bytes.indexOf(CRLF, at);
      if (lineEnd < 0) break;
      const words = bytes.toString('latin1', at, lineEnd).split(' ');
      const next = lineEnd + CRLF.length;
      const hasBody = words[0] === 'MSG' || words[0] === 'HMSG';
      const end = hasBody ? next + Number(words.at(-1)) : next;
      if (hasBody && bytes.length < end + CRLF.length) break;
      if (hasBody) this.#deliver(words, bytes.subarray(next, end));
      else if (words[0] === 'PING') this.write('PONG\r\n');
      else if (words[0] === '-ERR') throw new Error(`NATS: ${words.join(' ')}`);
      at = hasBody ? end + CRLF.length : next;
    }
    this.#bytes = bytes.subarray(at);
  }

  #deliver(words: readonly string[], bytes: Buffer): void {
    const sizes = words[0] === 'HMSG' ? 2 : 1;
    const headerBytes = sizes === 2 ? Number(words.at(-2)) : 0;
    const message: NatsMessage = {
      subject: words[1]!,
      reply: words.length - sizes > 3 ? words[3] : undefined,
      headers: sizes === 2 ? bytes.toString('latin1', 0, headerBytes) : undefined,
      body: bytes.subarray(headerBytes),
    };
    const waiting = this.#waiting.get(message.subject);
    if (waiting === undefined) this.onMessage(message);
    else {
      this.#waiting.delete(message.subject);
      waiting.resolve(message);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

class StreamSender implements Sender {
  readonly #connection: NatsConnection;
  readonly #queue: string;
  readonly #bodies: BodyBatch;

  constructor(connection: NatsConnection, queue: string, options: DriverOptions) {
    this.#connection = connection;
    this.#queue = queue;
    this.#bodies = new BodyBatch(options.batch, options.bodyBytes);
  }

  async send(first: number, count: number): Promise<void> {
    const replies = Array.from({ length: count }, () => this.#connection.expectReply());
    const parts = this.#bodies.numbered(first, count).flatMap((body, i) => {
      const head = `PUB ${this.#queue} ${replies[i]!.subject} ${body.length}\r\n`;
      return [Buffer.from(head, 'latin1'), body, CRLF];
    });
    this.#connection.write(Buffer.concat(parts));
    for (const { body } of await Promise.all(replies.map(({ answered }) => answered))) {
      if (body.includes('"error"')) throw new Error(`JetStream: ${body.toString('latin1')}`);
    }
  }
}

class PullReceiver implements Receiver {
  readonly #connection: NatsConnection;
  readonly #options: DriverOptions;
  readonly #queue: string;
  readonly #prefetched = new Prefetched();
  readonly #pullBatch: number;
  #asked = 0; // messages that the server has been asked for and has not sent

  constructor(connection: NatsConnection, queue: string, options: DriverOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#queue = queue;
    this.#pullBatch = options.batch * 2;
    connection.onMessage = (message) => this.#take(message);
  }

  #take({ headers, reply, body }: NatsMessage): void {
    // A status without a message: the pull request has ended.
    if (headers !== undefined && reply === undefined) this.#asked = 0;
    else {
      this.#asked -= 1;
      this.#prefetched.add(readSequence(body), reply);
    }
  }

  async receive(max: number) {
    if (this.#asked <= this.#pullBatch / 2) this.#pull(this.#pullBatch - this.#asked);
    return this.#prefetched.take(max, this.#options.waitMs);
  }

  #pull(batch: number): void {
    this.#asked += batch;
    const body = JSON.stringify({ batch, expires: PULL_EXPIRES_NS });
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#queue}.${CONSUMER}`;
    const inbox = `${this.#connection.inbox}.pulled`;
    this.#connection.write(`PUB ${subject} ${inbox} ${body.length}\r\n${body}\r\n`);
  }

  async delete(subjects: readonly string[]): Promise<void> {
    const replies = subjects.map(() => this.#connection.expectReply());
    const texts = subjects.map(
      (subject, i) => `PUB ${subject} ${replies[i]!.subject} 4\r\n+ACK\r\n`,
    );
    this.#connection.write(texts.join(''));
    await Promise.all(replies.map(({ answered }) => answered));
  }
}

async function createStream(connection: NatsConnection, queue: string): Promise<void> {
  const stream = {
    name: queue,
    subjects: [queue],
    storage: 'file',
    retention: 'workqueue',
    num_replicas: 1,
  };
  const consumer = {
    stream_name: queue,
    config: {
      durable_name: CONSUMER,
      ack_policy: 'explicit',
      ack_wait: ACK_WAIT_NS,
      max_ack_pending: ACK_PENDING_MAX,
    },
  };
  const made = [
    await connection.request(`$JS.API.STREAM.CREATE.${queue}`, JSON.stringify(stream)),
    await connection.request(
      `$JS.API.CONSUMER.DURABLE.CREATE.${queue}.${CONSUMER}`,
      JSON.stringify(consumer),
    ),
  ];
  for (const { body } of made) {
    if (body.includes('"error"')) throw new Error(`JetStream: ${body.toString('latin1')}`);
  }
}

export const open: OpenDriver = async (options) => {
  const connections: NatsConnection[] = [];
  const openConnection = async (): Promise<NatsConnection> => {
    const connection = await NatsConnection.open(options.url);
    connections.push(connection);
    return connection;
  };
  const first = await openConnection();
  return {
    createQueue: (queue = options.queue) => createStream(first, queue),
    sender: async (queue = options.queue) =>
      new StreamSender(await openConnection(), queue, options),
    receiver: async (queue = options.queue) =>
      new PullReceiver(await openConnection(), queue, options),
    close: async () => {
      for (const connection of connections) connection.close();
    },
  };
};
