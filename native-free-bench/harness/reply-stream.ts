/* A connection whose replies come in the order of its requests, as those of Redis, beanstalkd and
 * PostgreSQL do. Several requests may be on their way; a protocol gives the parser. */

import { connect, type Socket } from 'node:net';

/** The reply at `at` and where the next begins; undefined: it is not all there yet. */
export type ParseReply<T> = (bytes: Buffer, at: number) => { value: T; next: number } | undefined;

interface Pending<T> {
  readonly isLast: (replies: readonly T[]) => boolean;
  readonly replies: T[];
  readonly resolve: (replies: T[]) => void;
  readonly reject: (error: Error) => void;
}

export function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

export class ReplyStream<T> {
  readonly #socket: Socket;
  readonly #parse: ParseReply<T>;
  readonly #pending: Pending<T>[] = [];
  #bytes: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, parse: ParseReply<T>) {
    this.#socket = socket;
    this.#parse = parse;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('The server closed the connection.')));
  }

  static async open<T>(url: string, parse: ParseReply<T>): Promise<ReplyStream<T>> {
    return new ReplyStream(await openSocket(url), parse);
  }

  /** Resolves with the next replies, up to that with which `isLast` says they are all. */
  request(
    bytes: Uint8Array | string,
    isLast: (replies: readonly T[]) => boolean = () => true,
  ): Promise<T[]> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ isLast, replies: [], resolve, reject });
      this.#socket.write(bytes);
    });
  }

  #take(chunk: Buffer): void {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    let at = 0;
    try {
      for (let reply = this.#parse(bytes, at); reply; reply = this.#parse(bytes, at)) {
        at = reply.next;
        this.#give(reply.value);
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    this.#bytes = bytes.subarray(at);
  }

  #give(value: T): void {
    const first = this.#pending[0];
    if (first === undefined) return; // What a server says by itself, as its greeting.
    first.replies.push(value);
    if (!first.isLast(first.replies)) return;
    this.#pending.shift();
    first.resolve(first.replies);
  }

  #fail(error: Error): void {
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** All of `count` replies. */
export function countOf(count: number): (replies: readonly unknown[]) => boolean {
  return (replies) => replies.length === count;
}
