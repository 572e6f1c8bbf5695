/* HTTP by hand: what no well-behaved client would send, byte for byte, and what comes back. */

import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** One connection. Answers are read one by one; each has a length. */
export class RawConnection {
  readonly #socket: Socket;
  /** Not joined before an answer may be whole: joining at every piece takes quadratic time. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  #bytesWanted = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawConnection(socket)));
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#pieces.push(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes >= this.#bytesWanted) this.#wake();
    });
    // A reset is the end of a connection like any other.
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Resolves when the kernel has taken it. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(data, () => resolve());
    });
  }

  /** Sends the end of the stream, and goes on reading. */
  half(): void {
    this.#socket.end();
  }

  /** Reads no more until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Drops the connection. */
  close(): void {
    this.#socket.destroy();
  }

  get ended(): boolean {
    return this.#ended;
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Resolves when the server has closed the connection. */
  async end(): Promise<void> {
    while (!this.#ended) await this.#more();
  }

  /** The next answer; undefined: the connection ended instead.
   *  @param head true: to a HEAD request, so without the body that it has the length of */
  async answer(head = false): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#take(head);
      if (answer !== undefined) return answer;
      if (this.#ended) return undefined;
      await this.#more();
    }
  }

  #take(head: boolean): RawAnswer | undefined {
    const received = Buffer.concat(this.#pieces);
    this.#pieces = [received];
    this.#bytesWanted = 0;
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const [statusLine = '', ...lines] = received.toString('latin1', 0, headEnd).split('\r\n');
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    const length = head ? 0 : Number(headers.get('content-length') ?? 0);
    const bodyAt = headEnd + 4;
    if (received.length < bodyAt + length) {
      this.#bytesWanted = bodyAt + length;
      return undefined;
    }
    const body = received.toString('utf8', bodyAt, bodyAt + length);
    this.#pieces = [received.subarray(bodyAt + length)];
    this.#bytes = received.length - bodyAt - length;
    return { status: Number(statusLine.split(' ')[1]), headers, body };
  }
}

/** The bytes of a request. */
export function rawRequest(
  method: string,
  path: string,
  body = '',
  headers: readonly string[] = [],
): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: capstan.test', ...length, ...headers];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** One request on a connection of its own. */
export async function rawFetch(
  port: number,
  method: string,
  path: string,
  body = '',
  headers: readonly string[] = [],
): Promise<RawAnswer> {
  const connection = await RawConnection.open(port);
  try {
    await connection.send(rawRequest(method, path, body, headers));
    const answer = await connection.answer(method === 'HEAD');
    if (answer === undefined) throw new Error(`no answer to ${method} ${path}`);
    return answer;
  } finally {
    connection.close();
  }
}
