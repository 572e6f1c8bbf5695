/* The requests of a connection that wait for their answers, found by their correlations. */

import { assert } from '../base/assert.ts';
import { Slots } from '../base/slots.ts';
import type { ClientRequest } from './request.ts';

/** A correlation is a turn, in the bits from here up, and a slot: an answer that comes twice finds
 *  nobody's request. */
const SLOT_BITS = 20;
const SLOTS_MAX = 2 ** SLOT_BITS;
/** Correlations stay below 2^31, and above 0. */
const TURNS = 2 ** (31 - SLOT_BITS);

export class PendingRequests {
  readonly #slots = new Slots<ClientRequest>();
  #turn = 1;
  #added = 0;

  get size(): number {
    return this.#slots.size;
  }

  /** The correlation of the request that is added next. */
  get next(): number {
    return this.#turn * SLOTS_MAX + this.#slots.next;
  }

  /** `request` was given the correlation `next`. */
  add(request: ClientRequest): void {
    assert(request.correlation === this.next, 'a request is added as the one that is next');
    const slot = this.#slots.add(request);
    assert(slot < SLOTS_MAX, 'a connection bounds the requests that it has pending');
    request.order = this.#added++;
    this.#turn = (this.#turn % (TURNS - 1)) + 1;
  }

  get(correlation: number): ClientRequest | undefined {
    const request = this.#slots.get(correlation % SLOTS_MAX);
    return request?.correlation === correlation ? request : undefined;
  }

  /** Its correlation names nothing from here on. False: it did not before. */
  delete(request: ClientRequest): boolean {
    if (this.get(request.correlation) !== request) return false;
    this.#slots.delete(request.correlation % SLOTS_MAX);
    return true;
  }

  /** In the order in which they were added. */
  inOrder(): ClientRequest[] {
    return [...this.#slots].toSorted((a, b) => a.order - b.order);
  }
}
