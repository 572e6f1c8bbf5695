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

/** Codes of the hexadecimal digits of each byte. */
const DIGITS = '0123456789abcdef';
const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS.charCodeAt(byte >>> 4));
const LOW = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS.charCodeAt(byte & 15));
const HYPHEN = 0x2d;

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

/** The text form of the id at `at`. One call with all characters: joining parts takes three times
 *  as long, because the parts are joined once more when the text is used. */
export function messageIdText(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(
    HIGH[bytes[at]!]!,
    LOW[bytes[at]!]!,
    HIGH[bytes[at + 1]!]!,
    LOW[bytes[at + 1]!]!,
    HIGH[bytes[at + 2]!]!,
    LOW[bytes[at + 2]!]!,
    HIGH[bytes[at + 3]!]!,
    LOW[bytes[at + 3]!]!,
    HYPHEN,
    HIGH[bytes[at + 4]!]!,
    LOW[bytes[at + 4]!]!,
    HIGH[bytes[at + 5]!]!,
    LOW[bytes[at + 5]!]!,
    HYPHEN,
    HIGH[bytes[at + 6]!]!,
    LOW[bytes[at + 6]!]!,
    HIGH[bytes[at + 7]!]!,
    LOW[bytes[at + 7]!]!,
    HYPHEN,
    HIGH[bytes[at + 8]!]!,
    LOW[bytes[at + 8]!]!,
    HIGH[bytes[at + 9]!]!,
    LOW[bytes[at + 9]!]!,
    HYPHEN,
    HIGH[bytes[at + 10]!]!,
    LOW[bytes[at + 10]!]!,
    HIGH[bytes[at + 11]!]!,
    LOW[bytes[at + 11]!]!,
    HIGH[bytes[at + 12]!]!,
    LOW[bytes[at + 12]!]!,
    HIGH[bytes[at + 13]!]!,
    LOW[bytes[at + 13]!]!,
    HIGH[bytes[at + 14]!]!,
    LOW[bytes[at + 14]!]!,
    HIGH[bytes[at + 15]!]!,
    LOW[bytes[at + 15]!]!,
  );
}
