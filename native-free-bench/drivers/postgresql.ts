/* PostgreSQL as a queue: a batch is one INSERT; a receive is a DELETE over rows that nobody holds
 * (SKIP LOCKED) in a transaction, which is committed when the messages are dealt with. */

import { setTimeout as sleep } from 'node:timers/promises';
import { fillerText, readSequence, sequenceText } from '../harness/bodies.ts';
import { type ParseReply, ReplyStream } from '../harness/reply-stream.ts';
import {
  type DriverOptions,
  NOTHING,
  type OpenDriver,
  type Receiver,
  type Sender,
} from './driver.ts';

const HEAD_BYTES = 5; // a letter, and the length with itself
const PROTOCOL_VERSION = 196_608; // 3.0
const POLL_MS = 1;

interface Reply {
  readonly kind: string;
  readonly body: Buffer;
}

const parse: ParseReply<Reply> = (bytes, at) => {
  if (bytes.length < at + HEAD_BYTES) return undefined;
  const next = at + 1 + bytes.readUInt32BE(at + 1);
  if (bytes.length < next) return undefined;
  const kind = String.fromCharCode(bytes[at]!);
  const body = bytes.subarray(at + HEAD_BYTES, next);
  if (kind === 'E') throw new Error(`PostgreSQL: ${body.toString('latin1').replaceAll('\0', ' ')}`);
  return { value: { kind, body }, next };
};

const isReady = (replies: readonly Reply[]): boolean => replies.at(-1)?.kind === 'Z';

function frame(kind: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(kind, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`, 'latin1');
const int16 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, i) => bytes.writeInt16BE(value, i * 2));
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

const SYNC = frame('S');
const EXECUTE = frame('E', text(''), int32(0));

/** Runs a prepared statement with at most one parameter, given as text; rows come as text. */
function execute(statement: string, parameter?: string): Buffer {
  const value = parameter === undefined ? undefined : Buffer.from(parameter, 'latin1');
  const values = value === undefined ? [int16(0)] : [int16(1), int32(value.length), value];
  const bind = frame('B', text(''), text(statement), int16(0), ...values, int16(0));
  return Buffer.concat([bind, EXECUTE]);
}

export class PostgresConnection {
  readonly #stream: ReplyStream<Reply>;

  private constructor(stream: ReplyStream<Reply>) {
    this.#stream = stream;
  }

  static async open(url: string): Promise<PostgresConnection> {
    const stream = await ReplyStream.open(url, parse);
    const names = ['user', 'postgres', 'database', 'postgres'].map(text);
    const body = Buffer.concat([int32(PROTOCOL_VERSION), ...names, Buffer.alloc(1)]);
    await stream.request(Buffer.concat([int32(body.length + 4), body]), isReady);
    return new PostgresConnection(stream);
  }

  async run(sql: string): Promise<void> {
    await this.#stream.request(frame('Q', text(sql)), isReady);
  }

  async prepare(name: string, sql: string): Promise<void> {
    const parsed = frame('P', text(name), text(sql), int16(0));
    await this.#stream.request(Buffer.concat([parsed, SYNC]), isReady);
  }

  /** The first column of each row. */
  async execute(...messages: readonly Buffer[]): Promise<Buffer[]> {
    const replies = await this.#stream.request(Buffer.concat([...messages, SYNC]), isReady);
    return replies.filter(({ kind }) => kind === 'D').map(({ body }) => body.subarray(6));
  }

  close(): void {
    this.#stream.close();
  }
}

class TableSender implements Sender {
  readonly #connection: PostgresConnection;
  readonly #filler: string;

  constructor(connection: PostgresConnection, options: DriverOptions) {
    this.#connection = connection;
    this.#filler = fillerText(options.bodyBytes);
  }

  async send(first: number, count: number): Promise<void> {
    const bodies = Array.from(
      { length: count },
      (_, i) => `"${sequenceText(first + i)}${this.#filler}"`,
    );
    await this.#connection.execute(execute('insert', `{${bodies.join(',')}}`));
  }
}

class TableReceiver implements Receiver {
  readonly #connection: PostgresConnection;
  readonly #waitMs: number;

  constructor(connection: PostgresConnection, waitMs: number) {
    this.#connection = connection;
    this.#waitMs = waitMs;
  }

  async receive(max: number) {
    const deadline = performance.now() + this.#waitMs;
    do {
      const rows = await this.#connection.execute(execute('begin'), execute('take', String(max)));
      if (rows.length > 0)
        return { sequences: rows.map((row) => readSequence(row)), receipts: rows };
      await this.#connection.execute(execute('commit'));
      await sleep(POLL_MS);
    } while (performance.now() < deadline);
    return NOTHING;
  }

  async delete(): Promise<void> {
    await this.#connection.execute(execute('commit'));
  }
}

export const open: OpenDriver = async (options) => {
  const connections: PostgresConnection[] = [];
  const openConnection = async (): Promise<PostgresConnection> => {
    const connection = await PostgresConnection.open(options.url);
    connections.push(connection);
    return connection;
  };
  const first = await openConnection();
  return {
    createQueue: (queue = options.queue) =>
      first.run(
        `CREATE TABLE IF NOT EXISTS ${queue} (id bigserial PRIMARY KEY, body text NOT NULL)
         WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)`,
      ),
    sender: async (queue = options.queue) => {
      const connection = await openConnection();
      await connection.prepare('insert', `INSERT INTO ${queue} (body) SELECT unnest($1::text[])`);
      return new TableSender(connection, options);
    },
    receiver: async (queue = options.queue) => {
      const connection = await openConnection();
      await connection.prepare('begin', 'BEGIN');
      await connection.prepare('commit', 'COMMIT');
      await connection.prepare(
        'take',
        `DELETE FROM ${queue} WHERE id = ANY (ARRAY(SELECT id FROM ${queue} ORDER BY id
         LIMIT $1::int FOR UPDATE SKIP LOCKED)) RETURNING body`,
      );
      return new TableReceiver(connection, options.waitMs);
    },
    close: async () => {
      for (const connection of connections) connection.close();
    },
  };
};
