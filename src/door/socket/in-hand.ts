/* The receipts of messages that a subscription has pushed and that nobody has settled yet, kept so
 * that they can be made visible at once when the connection closes. Bounded: past the bound the
 * oldest are forgotten, and come back at their deadlines like those of any other subscription. */

import { RECEIPT_BYTES, TIMED_RECEIPT_BYTES } from '../../wire/delivery.ts';

const RECEIPTS_MAX = 100_000;

export class InHand {
  /** Receipts as text of one byte per character, oldest first. */
  readonly #receipts = new Set<string>();

  get size(): number {
    return this.#receipts.size;
  }

  add(bytes: Buffer, at: number): void {
    if (this.#receipts.size === RECEIPTS_MAX) {
      for (const oldest of this.#receipts) {
        this.#receipts.delete(oldest);
        break;
      }
    }
    this.#receipts.add(bytes.latin1Slice(at, at + RECEIPT_BYTES));
  }

  settle(bytes: Buffer, at: number): void {
    this.#receipts.delete(bytes.latin1Slice(at, at + RECEIPT_BYTES));
  }

  /** Takes up to `max` receipts, each with a timeout of 0. */
  take(max: number): Buffer {
    const count = Math.min(max, this.#receipts.size);
    const bytes = Buffer.alloc(count * TIMED_RECEIPT_BYTES);
    let at = 0;
    for (const receipt of this.#receipts) {
      if (at === bytes.length) break;
      bytes.write(receipt, at, 'latin1');
      this.#receipts.delete(receipt);
      at += TIMED_RECEIPT_BYTES;
    }
    return bytes;
  }
}
