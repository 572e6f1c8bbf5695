/* Senders and receivers over HTTP, each with a connection of its own. A protocol says how its
 * requests are written and its answers read. */

import { fillerText, SEQUENCE_CHARS } from '../harness/bodies.ts';
import { type HttpAnswer, HttpConnection, RequestTemplate } from '../harness/http-connection.ts';
import type { Driver, DriverOptions, Received, Receiver, Sender } from './driver.ts';

/** Stands where a sequence number goes, in texts that are numbered later. */
export const SEQUENCE_MARK = '#'.repeat(SEQUENCE_CHARS);

export interface HttpProtocol {
  /** A whole request that sends `bodies`. */
  sendText(bodies: readonly string[], first: number): string;
  /** Throws when not every message was accepted. */
  readSent(answer: HttpAnswer): void;
  receiveText(max: number): string;
  readReceived(answer: HttpAnswer): Received;
  /** How many messages one request can delete. */
  readonly deletesAtOnce: number;
  deleteText(receipts: readonly string[]): string;
  /** Throws when not every message was deleted. */
  readDeleted(answer: HttpAnswer): void;
  createQueueText(): string;
  /** Throws when the queue is not there. */
  readCreated(answer: HttpAnswer): void;
}

export function requireOk({ status, body }: HttpAnswer): void {
  if (status >= 300)
    throw new Error(`The server answered ${status}: ${body.toString('latin1', 0, 500)}`);
}

class HttpSender implements Sender {
  readonly #connection: HttpConnection;
  readonly #protocol: HttpProtocol;
  readonly #body: string;
  readonly #numberedOnly: boolean;
  readonly #templates = new Map<number, RequestTemplate>();

  constructor(connection: HttpConnection, protocol: HttpProtocol, options: DriverOptions) {
    this.#connection = connection;
    this.#protocol = protocol;
    this.#body = SEQUENCE_MARK + fillerText(options.bodyBytes);
    this.#numberedOnly = options.groups === undefined;
  }

  async send(first: number, count: number): Promise<void> {
    const template = this.#template(first, count);
    const bytes = template.numbered(first);
    this.#protocol.readSent(await this.#connection.request(bytes));
  }

  #template(first: number, count: number): RequestTemplate {
    const known = this.#numberedOnly ? this.#templates.get(count) : undefined;
    if (known !== undefined) return known;
    const bodies = Array.from({ length: count }, () => this.#body);
    const bytes = Buffer.from(this.#protocol.sendText(bodies, first), 'latin1');
    const template = new RequestTemplate(bytes, SEQUENCE_MARK);
    this.#templates.set(count, template);
    return template;
  }
}

class HttpReceiver implements Receiver {
  readonly #connection: HttpConnection;
  readonly #protocol: HttpProtocol;

  constructor(connection: HttpConnection, protocol: HttpProtocol) {
    this.#connection = connection;
    this.#protocol = protocol;
  }

  async receive(max: number): Promise<Received> {
    const answer = await this.#connection.request(this.#protocol.receiveText(max));
    return this.#protocol.readReceived(answer);
  }

  async delete(receipts: readonly string[]): Promise<void> {
    const { deletesAtOnce } = this.#protocol;
    for (let at = 0; at < receipts.length; at += deletesAtOnce) {
      const text = this.#protocol.deleteText(receipts.slice(at, at + deletesAtOnce));
      this.#protocol.readDeleted(await this.#connection.request(text));
    }
  }
}

export async function driveHttp(
  protocolOf: (options: DriverOptions) => HttpProtocol,
  options: DriverOptions,
): Promise<Driver> {
  const connections: HttpConnection[] = [];
  const open = async (): Promise<HttpConnection> => {
    const connection = await HttpConnection.open(options.url);
    connections.push(connection);
    return connection;
  };
  const protocol = (queue = options.queue): HttpProtocol => protocolOf({ ...options, queue });
  const first = await open();
  return {
    createQueue: async (queue) => {
      const own = protocol(queue);
      own.readCreated(await first.request(own.createQueueText()));
    },
    sender: async (queue) => new HttpSender(await open(), protocol(queue), options),
    receiver: async (queue) => new HttpReceiver(await open(), protocol(queue)),
    close: async () => {
      for (const connection of connections) connection.close();
    },
  };
}
