/* Collects the body of one request out of the pieces it comes in. The server's pieces vanish when
 * its callback returns, so every byte is copied once: a small body into memory that the next
 * request uses again, a large one into memory that grows as it comes, never ahead of what has
 * really been sent. */

import type { ByteBudget } from './byte-budget.ts';

/** Bodies up to here are copied into memory that is kept. One SQS send fits. */
const KEPT_BYTES = 4096;
const FIRST_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

export class RequestBody {
  readonly #budget: ByteBudget;
  readonly #kept = Buffer.allocUnsafeSlow(KEPT_BYTES);
  #grown = NOTHING;
  #length = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes so far; good until `clear`. */
  bytes(): Buffer {
    const from = this.#grown.length === 0 ? this.#kept : this.#grown;
    return from.subarray(0, this.#length);
  }

  /** False: the door holds too many bytes already.
   *  @param expected the length of the whole body, as far as it is known. */
  append(chunk: ArrayBuffer, expected: number): boolean {
    const length = this.#length + chunk.byteLength;
    if (length > KEPT_BYTES && length > this.#grown.length && !this.#grow(length, expected)) {
      return false;
    }
    const to = this.#grown.length === 0 ? this.#kept : this.#grown;
    to.set(new Uint8Array(chunk), this.#length);
    this.#length = length;
    return true;
  }

  #grow(length: number, expected: number): boolean {
    const wanted = Math.max(length, FIRST_BYTES, this.#grown.length * 2);
    const capacity = expected >= length ? Math.min(wanted, expected) : wanted;
    if (!this.#budget.take(capacity - this.#grown.length)) return false;
    const grown = Buffer.allocUnsafeSlow(capacity);
    grown.set(this.bytes());
    this.#grown = grown;
    return true;
  }

  clear(): void {
    this.#length = 0;
    if (this.#grown.length === 0) return;
    this.#budget.giveBack(this.#grown.length);
    this.#grown = NOTHING;
  }
}
