/* Makes message ids without asking anyone, as command/message-id.ts lays them out. One generator
 * per router. The random part is drawn per generator and anew whenever the counter wraps, so ids of
 * two routers, or of two lives of one, are different. */

import { randomFillSync } from 'node:crypto';
import { MESSAGE_ID_BYTES } from '../command/message-entry.ts';
import { COUNTER_AT } from '../command/message-id.ts';

const TIME_AT = 0;
const VERSION_AT = 6;
const VARIANT_AT = 8;

/** Fills `bytes` from `from` on. */
export type FillRandom = (bytes: Uint8Array, from: number) => void;

export class MessageIds {
  /** The id at hand; the same memory each time. */
  readonly bytes = new Uint8Array(MESSAGE_ID_BYTES);
  readonly #view = new DataView(this.bytes.buffer);
  #counter = 0;
  #stampedAtMs = -1;
  readonly #fillRandom: FillRandom;

  constructor(fillRandom: FillRandom = (bytes, from) => void randomFillSync(bytes, from)) {
    this.#fillRandom = fillRandom;
    this.#reseed();
  }

  #reseed(): void {
    this.#fillRandom(this.bytes, VERSION_AT);
    this.bytes[VERSION_AT] = 0x70 | (this.bytes[VERSION_AT]! & 0x0f);
    this.bytes[VARIANT_AT] = 0x80 | (this.bytes[VARIANT_AT]! & 0x3f);
    this.#counter = 0;
  }

  /** Makes the first of `count` ids that differ only in their counters; `bytes` is that one. */
  reserve(now: number, count: number): void {
    if (this.#counter + count > 0xffff_ffff) this.#reseed();
    if (now !== this.#stampedAtMs) {
      this.#stampedAtMs = now;
      this.#view.setUint16(TIME_AT, Math.floor(now / 0x1_0000_0000));
      this.#view.setUint32(TIME_AT + 2, now >>> 0);
    }
    this.#view.setUint32(COUNTER_AT, this.#counter);
  }

  /** Goes on to the next id. */
  advance(): void {
    this.#view.setUint32(COUNTER_AT, ++this.#counter);
  }
}
