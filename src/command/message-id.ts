/* Message ids: UUIDs of version 7, 16 bytes.
 *
 *   0                 6           8                     12
 *   +-----------------+-----------+---------------------+----------------+
 *   | ms since epoch  | 7, random | variant, random     | counter        |
 *   +-----------------+-----------+---------------------+----------------+
 * Those of one batch differ only in their counters. Big-endian. */

export const COUNTER_AT = 12;

/** Codes of the hexadecimal digits of each byte. */
const DIGITS = '0123456789abcdef';
const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS.charCodeAt(byte >>> 4));
const LOW = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS.charCodeAt(byte & 15));
const HYPHEN = 0x2d;

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

/** Where each byte's digits begin in the text form. */
const DIGITS_AT = Uint8Array.from([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]);
const HYPHENS_AT = Uint8Array.of(8, 13, 18, 23);

/** Writes the text form of `id` at `at`: 36 bytes. */
export function messageIdInto(id: Uint8Array, to: Uint8Array, at: number): void {
  for (let i = 0; i < DIGITS_AT.length; i++) {
    const byte = id[i]!;
    const place = at + DIGITS_AT[i]!;
    to[place] = HIGH[byte]!;
    to[place + 1] = LOW[byte]!;
  }
  for (let i = 0; i < HYPHENS_AT.length; i++) to[at + HYPHENS_AT[i]!] = HYPHEN;
}

/** Writes the id that is `index` after `firstId` in its batch at `at`. */
export function writeIdAfter(firstId: Uint8Array, index: number, to: Uint8Array, at: number): void {
  to.set(firstId, at);
  let rest = index;
  for (let place = at + COUNTER_AT + 3; rest > 0 && place >= at + COUNTER_AT; place--) {
    rest += to[place]!;
    to[place] = rest;
    rest >>>= 8;
  }
}

/** An accepted message of a batch. Its id is made, and made into text, when it is asked for. */
export class AcceptedMessage {
  readonly error = undefined;
  readonly sequenceNumber: number;
  readonly #firstId: Uint8Array;
  readonly #index: number;

  /** @param firstId of the batch; shared, and never changed. */
  constructor(firstId: Uint8Array, index: number, sequenceNumber: number) {
    this.#firstId = firstId;
    this.#index = index;
    this.sequenceNumber = sequenceNumber;
  }

  get messageId(): string {
    return messageIdText(this.idBytes, 0);
  }

  get idBytes(): Uint8Array {
    if (this.#index === 0) return this.#firstId;
    const id = new Uint8Array(this.#firstId.length);
    writeIdAfter(this.#firstId, this.#index, id, 0);
    return id;
  }
}
