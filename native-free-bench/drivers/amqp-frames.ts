/* AMQP 0-9-1, as much of it as a queue needs: frames, arguments of methods, and one connection with
 * one channel. */

import type { Socket } from 'node:net';
import { openSocket } from '../harness/reply-stream.ts';

const FRAME_END = 0xce;
const FRAME_OVERHEAD = 8; // type, channel, size, end
const CHANNEL = 1;

const FRAME_METHOD = 1;
const FRAME_HEADER = 2;
const FRAME_BODY = 3;

/** `class * 2^16 + method`. */
export const METHODS = {
  connectionStart: 0x000a_000a,
  connectionStartOk: 0x000a_000b,
  connectionTune: 0x000a_001e,
  connectionTuneOk: 0x000a_001f,
  connectionOpen: 0x000a_0028,
  connectionOpenOk: 0x000a_0029,
  connectionClose: 0x000a_0032,
  channelOpen: 0x0014_000a,
  channelOpenOk: 0x0014_000b,
  channelClose: 0x0014_0028,
  queueDeclare: 0x0032_000a,
  queueDeclareOk: 0x0032_000b,
  basicQos: 0x003c_000a,
  basicQosOk: 0x003c_000b,
  basicConsume: 0x003c_0014,
  basicConsumeOk: 0x003c_0015,
  basicPublish: 0x003c_0028,
  basicDeliver: 0x003c_003c,
  basicAck: 0x003c_0050,
  confirmSelect: 0x0055_000a,
  confirmSelectOk: 0x0055_000b,
} as const;

export const shortText = (text: string): Buffer =>
  Buffer.concat([Buffer.of(text.length), Buffer.from(text, 'latin1')]);
export const longText = (text: string): Buffer =>
  Buffer.concat([int32(text.length), Buffer.from(text, 'latin1')]);
export const int8 = (value: number): Buffer => Buffer.of(value);
export const int16 = (value: number): Buffer => Buffer.of(value >>> 8, value & 0xff);
export const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const int64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
/** A table of texts. */
export const table = (entries: Readonly<Record<string, string>>): Buffer => {
  const fields = Object.entries(entries).map(([name, value]) =>
    Buffer.concat([shortText(name), Buffer.from('S', 'latin1'), longText(value)]),
  );
  const body = Buffer.concat(fields);
  return Buffer.concat([int32(body.length), body]);
};

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.concat([int8(type), int16(channel), int32(payload.length)]);
  return Buffer.concat([head, payload, int8(FRAME_END)]);
}

export function methodFrame(method: number, ...args: readonly Buffer[]): Buffer {
  const channel = method >>> 16 === 10 ? 0 : CHANNEL; // what concerns the connection goes on 0
  return frame(FRAME_METHOD, channel, Buffer.concat([int32(method), ...args]));
}

/** The frames of a persistent message up to its body's bytes, and what follows those. */
export function publishFrames(queue: string, bodyBytes: number): { head: Buffer; tail: Buffer } {
  const publish = methodFrame(
    METHODS.basicPublish,
    int16(0),
    shortText(''),
    shortText(queue),
    int8(0),
  );
  const deliveryModeOnly = 0x1000;
  const properties = [int16(60), int16(0), int64(bodyBytes), int16(deliveryModeOnly), int8(2)];
  const header = frame(FRAME_HEADER, CHANNEL, Buffer.concat(properties));
  const bodyHead = Buffer.concat([int8(FRAME_BODY), int16(CHANNEL), int32(bodyBytes)]);
  return { head: Buffer.concat([publish, header, bodyHead]), tail: int8(FRAME_END) };
}

interface Waiting {
  readonly method: number;
  readonly resolve: (args: Buffer) => void;
  readonly reject: (error: Error) => void;
}

export class AmqpConnection {
  /** A method that nobody waits for: deliveries and confirms. */
  onMethod: (method: number, args: Buffer) => void = () => undefined;
  onBody: (body: Buffer) => void = () => undefined;
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: Waiting | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('RabbitMQ closed the connection.')));
  }

  static async open(url: string): Promise<AmqpConnection> {
    const connection = new AmqpConnection(await openSocket(url));
    const hello = Buffer.concat([Buffer.from('AMQP', 'latin1'), Buffer.of(0, 0, 9, 1)]);
    await connection.exchange(hello, METHODS.connectionStart);
    const startOk = [table({}), shortText('PLAIN'), longText('\0guest\0guest'), shortText('C')];
    const tune = await connection.exchange(
      methodFrame(METHODS.connectionStartOk, ...startOk),
      METHODS.connectionTune,
    );
    const noHeartbeat = int16(0);
    const tuneOk = methodFrame(METHODS.connectionTuneOk, tune.subarray(0, 6), noHeartbeat);
    const openVhost = methodFrame(METHODS.connectionOpen, shortText('/'), shortText(''), int8(0));
    await connection.exchange(Buffer.concat([tuneOk, openVhost]), METHODS.connectionOpenOk);
    const openChannel = methodFrame(METHODS.channelOpen, shortText(''));
    await connection.exchange(openChannel, METHODS.channelOpenOk);
    return connection;
  }

  /** Sends, and resolves with the arguments of the method that answers. */
  exchange(bytes: Buffer, answer: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { method: answer, resolve, reject };
      this.write(bytes);
    });
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  #take(chunk: Buffer): void {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    let at = 0;
    while (bytes.length >= at + FRAME_OVERHEAD) {
      const size = bytes.readUInt32BE(at + 3);
      const end = at + FRAME_OVERHEAD + size;
      if (bytes.length < end) break;
      this.#frame(bytes[at]!, bytes.subarray(at + 7, at + 7 + size));
      at = end;
    }
    this.#bytes = bytes.subarray(at);
  }

  #frame(type: number, payload: Buffer): void {
    if (type === FRAME_BODY) this.onBody(payload);
    if (type !== FRAME_METHOD) return; // Headers say what bodies are long, and heartbeats nothing.
    const method = payload.readUInt32BE(0);
    if (method === METHODS.connectionClose || method === METHODS.channelClose) {
      const error = new Error(`RabbitMQ: ${payload.toString('latin1', 7)}`);
      // A probe of a server that is about to stop may be left over: it must not take all with it.
      if (this.#waiting === undefined) console.error(error.message);
      this.#waiting?.reject(error);
      this.close();
    } else if (this.#waiting?.method === method) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(payload.subarray(4));
    } else this.onMethod(method, payload.subarray(4));
  }

  close(): void {
    this.#socket.destroy();
  }
}
