/* Message ids: UUIDs of version 7, 16 bytes, made without asking anyone. One generator per router.
 *
 *   0                 6           8                     12
 *   +-----------------+-----------+---------------------+----------------+
 *   | ms since epoch  | 7, random | variant, random     | counter        |
 *   +-----------------+-----------+---------------------+----------------+
 * The random part is drawn per generator and anew whenever the counter wraps, so ids of two
 * routers, or of two lives of one, are different. */

import { randomFillSync } from 'node:crypto';
import { MESSAGE_ID_BYTES } from '../command/message-entry.ts';

const TIME_AT = 0;
const VERSION_AT = 6;
const VARIANT_AT = 8;
export const COUNTER_AT = 12;

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

export class MessageIds {
  /** The id at hand; the same memory each time. */
  readonly bytes = new Uint8Array(MESSAGE_ID_BYTES);
  readonly #view = new DataView(this.bytes.buffer);
  #counter = 0;
  #stampedAtMs = -1;

  constructor() {
    this.#reseed();
  }

  #reseed(): void {
    randomFillSync(this.bytes, VERSION_AT);
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

/** The text form of the id at `at`. */
export function messageIdText(bytes: Uint8Array, at: number): string {
  const hex = (index: number) => HEX[bytes[at + index]!]!;
  return (
    `${hex(0)}${hex(1)}${hex(2)}${hex(3)}-${hex(4)}${hex(5)}-${hex(6)}${hex(7)}-` +
    `${hex(8)}${hex(9)}-${hex(10)}${hex(11)}${hex(12)}${hex(13)}${hex(14)}${hex(15)}`
  );
}
