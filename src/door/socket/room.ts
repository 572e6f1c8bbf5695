/* How much a connection may have on its way to its client. A receive takes room right before it
 * takes messages out of a queue, and leaves it when they have been handed to the connection;
 * while there is none, receives are parked, and messages stay in their queues for others. So a
 * client that does not read costs a bounded amount of memory, however much credit it has
 * granted. */

import type { SocketPeer } from './peer.ts';

/** On their way to one client, together with what receives under way may bring. */
export const ROOM_BYTES_MAX = 2 * 1024 * 1024;
/** What one receive asks for at most, and takes room for at least; a single message may be
 *  larger. */
export const RECEIVE_BYTES_MAX = 256 * 1024;
const RECEIVE_BYTES_MIN = 16 * 1024;
/** Until messages have shown how large they are. */
const MESSAGE_BYTES_GUESS = 2 * 1024;
/** A client that has this much waiting for it does not read at all: its connection is closed. */
export const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;

/** A receive that takes room, and waits for it if there is none. */
export interface Parked {
  /** The room that it has taken, which the Room keeps here. */
  heldBytes: number;
  /** There is room again: try once more. */
  resume(): void;
}

export class Room {
  readonly #peer: SocketPeer;
  readonly #outboxBytes: () => number;
  readonly #parked = new Set<Parked>();
  #heldBytes = 0;
  #resuming = false;
  /** Of late, a message had about so many bytes, or fewer. */
  #messageBytes = MESSAGE_BYTES_GUESS;

  constructor(peer: SocketPeer, outboxBytes: () => number) {
    this.#peer = peer;
    this.#outboxBytes = outboxBytes;
  }

  /** What a receive of up to `max` messages is to ask for, and to take. */
  bytesFor(max: number): number {
    const expected = max * this.#messageBytes;
    return Math.min(RECEIVE_BYTES_MAX, Math.max(RECEIVE_BYTES_MIN, expected));
  }

  /** `count` messages came, of `bytes` together. */
  note(bytes: number, count: number): void {
    const mean = bytes / count;
    const fading = this.#messageBytes - (this.#messageBytes - MESSAGE_BYTES_GUESS) / 64;
    this.#messageBytes = Math.max(mean, fading);
  }

  hasRoom(bytes: number): boolean {
    const ahead = this.#heldBytes + this.#peer.bufferedBytes + this.#outboxBytes();
    return ahead === 0 || ahead + bytes <= ROOM_BYTES_MAX;
  }

  get parkedCount(): number {
    return this.#parked.size;
  }

  /** False: there is none. */
  take(holder: Parked, bytes: number): boolean {
    if (holder.heldBytes > 0) return true;
    if (!this.hasRoom(bytes)) return false;
    holder.heldBytes = bytes;
    this.#heldBytes += bytes;
    return true;
  }

  leave(holder: Parked): void {
    if (holder.heldBytes === 0) return;
    this.#heldBytes -= holder.heldBytes;
    holder.heldBytes = 0;
    // Not at once: whoever leaves is in the middle of something.
    if (this.#parked.size > 0 && !this.#resuming) {
      this.#resuming = true;
      queueMicrotask(() => {
        this.#resuming = false;
        this.resume();
      });
    }
  }

  park(receive: Parked): void {
    this.#parked.add(receive);
  }

  forget(receive: Parked): void {
    this.#parked.delete(receive);
    this.leave(receive);
  }

  /** Lets those that are parked try again, the longest parked first, as far as there is room. */
  resume(): void {
    if (this.#parked.size === 0) return;
    // One that is parked again meanwhile waits for the next time.
    const parked = [...this.#parked];
    for (const receive of parked) {
      if (!this.hasRoom(RECEIVE_BYTES_MIN)) return;
      this.#parked.delete(receive);
      receive.resume();
    }
  }
}
