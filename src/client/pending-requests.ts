/* The requests of a connection that wait for their answers, each in a slot that its correlation
 * names. Not a Map: with so much coming and going a Map outgrows its table all the time, and tables
 * that were outgrown keep what they held, and the tables after them, from being collected with the
 * young. That were most messages that a connection brings. */

import { assert } from '../base/assert.ts';
import type { ClientRequest } from './request.ts';

/** A correlation is a turn, in the bits from here up, and a slot: an answer that comes twice finds
 *  nobody's request. */
const SLOT_BITS = 16;
const SLOTS_MAX = 2 ** SLOT_BITS;
/** Correlations stay below 2^31, and above 0. */
const TURNS = 2 ** (31 - SLOT_BITS);

export class PendingRequests {
  readonly #slots: (ClientRequest | undefined)[] = [];
  readonly #free: number[] = [];
  #turn = 1;
  #added = 0;

  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** The correlation of the request that is added next. */
  get next(): number {
    const slot = this.#free.at(-1) ?? this.#slots.length;
    return this.#turn * SLOTS_MAX + slot;
  }

  /** `request` was given the correlation `next`. */
  add(request: ClientRequest): void {
    assert(
      request.correlation === this.next,
      'a request is added under the correlation that is next',
    );
    const slot = this.#free.pop() ?? this.#slots.length;
    assert(slot < SLOTS_MAX, 'a connection bounds the requests that it has pending');
    request.order = this.#added++;
    this.#slots[slot] = request;
    this.#turn = (this.#turn % (TURNS - 1)) + 1;
  }

  get(correlation: number): ClientRequest | undefined {
    const request = this.#slots[correlation % SLOTS_MAX];
    return request?.correlation === correlation ? request : undefined;
  }

  /** Its correlation names nothing from here on. */
  delete(request: ClientRequest): void {
    const slot = request.correlation % SLOTS_MAX;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
  }

  /** In the order in which they were set. */
  inOrder(): ClientRequest[] {
    return this.#slots.filter((request) => request !== undefined).sort((a, b) => a.order - b.order);
  }
}
