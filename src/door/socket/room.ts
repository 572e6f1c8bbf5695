/* How much a connection may have on its way to its client. A receive takes room right before it
 * takes messages out of a queue, and leaves it when they have been handed to the connection;
 * while there is none, receives are parked, and messages stay in their queues for others. So a
 * client that does not read costs a bounded amount of memory, however much credit it has
 * granted. */

import type { SocketPeer } from './peer.ts';

/** What one receive may bring, but for a single message that is larger. */
export const RECEIVE_BYTES_MAX = 256 * 1024;
/** On their way to one client, together with what receives under way may bring. */
export const ROOM_BYTES_MAX = 2 * 1024 * 1024;
/** A client that has this much waiting for it does not read at all: its connection is closed. */
export const BUFFERED_BYTES_MAX = 16 * 1024 * 1024;

/** A receive that waits for room. */
export interface Parked {
  /** There is room again: try once more. */
  resume(): void;
}

export class Room {
  readonly #peer: SocketPeer;
  readonly #outboxBytes: () => number;
  /** Receives that have taken room. */
  readonly #holders = new Set<Parked>();
  readonly #parked = new Set<Parked>();

  constructor(peer: SocketPeer, outboxBytes: () => number) {
    this.#peer = peer;
    this.#outboxBytes = outboxBytes;
  }

  get available(): boolean {
    const held = (this.#holders.size + 1) * RECEIVE_BYTES_MAX;
    return held + this.#peer.bufferedBytes + this.#outboxBytes() <= ROOM_BYTES_MAX;
  }

  get parkedCount(): number {
    return this.#parked.size;
  }

  /** False: there is none. */
  take(holder: Parked): boolean {
    if (this.#holders.has(holder)) return true;
    if (!this.available) return false;
    this.#holders.add(holder);
    return true;
  }

  leave(holder: Parked): void {
    this.#holders.delete(holder);
  }

  park(receive: Parked): void {
    this.#parked.add(receive);
  }

  forget(receive: Parked): void {
    this.#parked.delete(receive);
    this.#holders.delete(receive);
  }

  /** Lets those that are parked try again, the longest parked first, as far as there is room. */
  resume(): void {
    // One that is parked again meanwhile waits for the next time.
    const parked = [...this.#parked];
    for (const receive of parked) {
      if (!this.available) return;
      this.#parked.delete(receive);
      receive.resume();
    }
  }
}
