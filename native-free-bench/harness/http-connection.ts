/* One HTTP/1.1 connection with one request at a time: all that a load needs, at a fraction of the
 * cost of a general client, which would be measured along with the server on the same cores. */

import { connect, type Socket } from 'node:net';
import { writeSequence } from './bodies.ts';

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const STATUS_AT = 'HTTP/1.1 '.length;
const NO_BODY_STATUS = 204;

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

interface Pending {
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

export class HttpConnection {
  readonly #socket: Socket;
  #pending: Pending | undefined;
  #bytes: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('The server closed the connection.')));
  }

  static open(url: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new HttpConnection(socket));
      });
    });
  }

  /** Sends the bytes of a whole request. They may be reused once the answer is there. */
  request(bytes: Uint8Array | string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.write(bytes);
    });
  }

  #take(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const headEnd = this.#bytes.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#bytes.toString('latin1', 0, headEnd);
    const status = Number(head.slice(STATUS_AT, STATUS_AT + 3));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined && status !== NO_BODY_STATUS) {
      this.#fail(new Error(`An answer without a length:\n${head}`));
      return;
    }
    const bodyAt = headEnd + HEAD_END.length;
    const end = bodyAt + Number(length ?? 0);
    if (this.#bytes.length < end) return;
    const body = this.#bytes.subarray(bodyAt, end);
    this.#bytes = Buffer.alloc(0);
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve({ status, body });
  }

  #fail(error: Error): void {
    this.#pending?.reject(error);
    this.#pending = undefined;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The bytes of a request. */
export function requestText(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): string {
  const { host, pathname, search } = new URL(url);
  const lines = Object.entries({ host, ...headers, 'content-length': String(body.length) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${pathname}${search} HTTP/1.1\r\n${head}\r\n${body}`;
}

/** A request that is sent over and over with new sequence numbers, written in place. */
export class RequestTemplate {
  readonly bytes: Buffer;
  readonly #offsets: readonly number[];

  /** `mark` stands wherever a sequence number goes, and has its length. */
  constructor(bytes: Buffer, mark: string) {
    this.bytes = bytes;
    const offsets: number[] = [];
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) {
      offsets.push(at);
    }
    this.#offsets = offsets;
  }

  /** The bytes, with the numbers from `first` on. */
  numbered(first: number): Buffer {
    this.#offsets.forEach((offset, i) => {
      writeSequence(this.bytes, offset, first + i);
    });
    return this.bytes;
  }
}
