/* What a session has to say in one turn of the event loop leaves as one WebSocket message: frames
 * gather in a buffer, which is sent once the callbacks at hand have run. Buffers are lent by a pool
 * for the length of a turn, so an idle connection holds none. One pool per door thread. */

import { FrameWriter } from '../../wire/frame-writer.ts';
import type { SendStatus, SocketPeer } from './peer.ts';

const BUFFER_BYTES = 64 * 1024;
/** A turn with more to say than this sends more than one message. */
const MESSAGE_BYTES_WANTED = 256 * 1024;
/** Buffers that have grown past this are not kept. */
const POOLED_BYTES_MAX = 2 * 1024 * 1024;
const POOLED_MAX = 16;

/** The sessions of one thread that have something to send, and buffers for it. */
export class TurnEnd {
  readonly #pool: FrameWriter[] = [];
  #dirty: Outbox[] = [];

  readonly #flush = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const outbox of dirty) outbox.flush();
  };

  acquire(outbox: Outbox): FrameWriter {
    if (this.#dirty.push(outbox) === 1) queueMicrotask(this.#flush);
    return this.#pool.pop() ?? new FrameWriter(BUFFER_BYTES);
  }

  release(writer: FrameWriter): void {
    writer.length = 0;
    if (this.#pool.length < POOLED_MAX && writer.buffer.length <= POOLED_BYTES_MAX) {
      this.#pool.push(writer);
    }
  }
}

export class Outbox {
  readonly #peer: SocketPeer;
  readonly #turnEnd: TurnEnd;
  readonly #onSent: (status: SendStatus) => void;
  #writer: FrameWriter | undefined;
  #closed = false;

  /** @param onSent called after each message, also from within `writer`. */
  constructor(peer: SocketPeer, turnEnd: TurnEnd, onSent: (status: SendStatus) => void) {
    this.#peer = peer;
    this.#turnEnd = turnEnd;
    this.#onSent = onSent;
  }

  /** Where the next frame is to be written, in full, before this is asked again. */
  get writer(): FrameWriter {
    if (this.#writer !== undefined && this.#writer.length >= MESSAGE_BYTES_WANTED) {
      this.#send(this.#writer);
    }
    this.#writer ??= this.#turnEnd.acquire(this);
    return this.#writer;
  }

  /** Bytes that wait for the end of the turn. */
  get bytes(): number {
    return this.#writer?.length ?? 0;
  }

  /** What is told of the message may lead to more frames, or to the end of the connection. */
  #send(writer: FrameWriter): void {
    if (writer.length === 0 || this.#closed) return;
    const status = this.#peer.send(writer.written);
    writer.length = 0;
    this.#onSent(status);
  }

  flush(): void {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#writer = undefined;
    this.#send(writer);
    this.#turnEnd.release(writer);
  }

  /** Nothing is sent from here on. */
  close(): void {
    this.#closed = true;
  }
}
