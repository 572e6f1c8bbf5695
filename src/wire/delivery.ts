/* Delivered messages and receipts as they cross the native protocol. A delivery, little endian but
 * for the receipt, without alignment:
 *
 *   0         27  28       32         40        48               56              60
 *   +---------+---+--------+----------+---------+----------------+---------------+-------
 *   | receipt | 0 | source | sequence | sent at | first received | receive count | entry
 *   +---------+---+--------+----------+---------+----------------+---------------+-------
 * The entry is that of command/message-entry.ts and ends the delivery. Sequence and times are f64,
 * `source` is the id of the queue that the message was dead-lettered from, or 0.
 *
 * A receipt is opaque to a client. Its base64url text is the receipt handle of all other doors. A
 * message that was only looked at has a receipt of zeros. Pure; loads in a browser. */

import {
  DELIVERY_HEADER_BYTES,
  DELIVERY_SOURCE_AT,
  SEALED_RECEIPT_BYTES,
} from '../command/command-codec.ts';
import { ENTRY_BYTES_AT, ENTRY_HEADER_BYTES } from '../command/message-entry.ts';
import { malformed } from './frame.ts';

// What partitions write is what clients read: the bytes are handed on as they are.
export {
  DELIVERY_COUNT_AT,
  DELIVERY_FIRST_RECEIVED_AT,
  DELIVERY_HEADER_BYTES,
  DELIVERY_SENT_AT,
  DELIVERY_SEQUENCE_AT,
  DELIVERY_SOURCE_AT,
  SEALED_RECEIPT_BYTES as RECEIPT_BYTES,
  SEND_RESULT_BYTES as SENT_RESULT_BYTES,
  SEND_RESULT_ID_AT as SENT_RESULT_ID_AT,
  SEND_RESULT_SEQUENCE_AT as SENT_RESULT_SEQUENCE_AT,
} from '../command/command-codec.ts';

const RECEIPT_CHARS = 36;

/** In an EXTEND or RELEASE frame: the receipt, then the timeout in ms as u32, little endian. */
export const TIMED_RECEIPT_BYTES = SEALED_RECEIPT_BYTES + 4;

/** The offset after the delivery at `at`, which must end at `end` or before. */
export function deliveryEnd(view: DataView, at: number, end: number): number {
  const entryAt = at + DELIVERY_HEADER_BYTES;
  if (entryAt + ENTRY_HEADER_BYTES > end) throw malformed('A delivery is cut off.');
  const entryBytes = view.getUint32(entryAt + ENTRY_BYTES_AT, true);
  const next = entryAt + entryBytes;
  if (entryBytes < ENTRY_HEADER_BYTES || next > end) throw malformed('A delivery is cut off.');
  return next;
}

/** Calls `visit` for every delivery that has a source. */
export function forEachSource(
  bytes: Uint8Array,
  at: number,
  count: number,
  visit: (source: number) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let from = at;
  for (let i = 0; i < count; i++) {
    const source = view.getUint32(from + DELIVERY_SOURCE_AT, true);
    if (source !== 0) visit(source);
    from = deliveryEnd(view, from, bytes.length);
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const VALUES = new Map(Array.from(ALPHABET, (character, value) => [character, value] as const));

/** The text of the receipt at `at`. */
export function receiptText(bytes: Uint8Array, at: number): string {
  let text = '';
  for (let from = at; from < at + SEALED_RECEIPT_BYTES; from += 3) {
    const bits = (bytes[from]! << 16) | (bytes[from + 1]! << 8) | bytes[from + 2]!;
    text +=
      ALPHABET[bits >>> 18]! +
      ALPHABET[(bits >>> 12) & 63]! +
      ALPHABET[(bits >>> 6) & 63]! +
      ALPHABET[bits & 63]!;
  }
  return text;
}

/** Writes the receipt that `text` stands for at `at`; false when it cannot be one. */
export function writeReceiptText(text: string, bytes: Uint8Array, at: number): boolean {
  if (text.length !== RECEIPT_CHARS) return false;
  for (let from = 0, to = at; from < RECEIPT_CHARS; from += 4, to += 3) {
    let bits = 0;
    for (let i = from; i < from + 4; i++) {
      const value = VALUES.get(text[i]!);
      if (value === undefined) return false;
      bits = (bits << 6) | value;
    }
    bytes[to] = bits >>> 16;
    bytes[to + 1] = bits >>> 8;
    bytes[to + 2] = bits;
  }
  return true;
}
