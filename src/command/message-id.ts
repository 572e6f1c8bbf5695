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
    const id = new Uint8Array(this.#firstId);
    const view = new DataView(id.buffer);
    view.setUint32(COUNTER_AT, view.getUint32(COUNTER_AT) + this.#index);
    return messageIdText(id, 0);
  }
}
