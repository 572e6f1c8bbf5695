/* Checks a run of entries that a client sent, in one pass over their headers. Bytes that do not add
 * up break the protocol; a message that the queue cannot take fails alone. Pure. */

import { isUtf8 } from 'node:buffer';
import { ERRORS, NO_ERROR } from '../../base/errors.ts';
import {
  BATCH_ENTRIES_MAX,
  DEDUPLICATION_ID_BYTES_MAX,
  GROUP_ID_BYTES_MAX,
  MESSAGE_ATTRIBUTES_MAX,
  RETENTION_MS_MAX,
} from '../../base/limits.ts';
import * as entry from '../../command/message-entry.ts';
import type { QueueAttributes } from '../../command/queue-definition.ts';
import { malformed } from '../../wire/frame.ts';

const FLAGS_ALLOWED = entry.FLAG_ATTRIBUTES | entry.FLAG_TEXT;
const INVALID = ERRORS.CAPSTAN_INVALID_ARGUMENT.number;
const TOO_LARGE = ERRORS.CAPSTAN_MESSAGE_TOO_LARGE.number;
const ATTRIBUTE_NAME_BYTES_MAX = 256;

/** What the last run of entries was like; reused. */
export class EntryCheck {
  /** An entry has a group id. */
  keyed = false;
  /** Entries that the queue cannot take. */
  flawed = 0;
  /** An entry is to be identified by its content. */
  unidentified = false;
  /** An error's number per entry; all 0 unless `flawed`. */
  readonly errors = new Uint8Array(BATCH_ENTRIES_MAX);

  /** Throws `ProtocolViolation` unless the entries fill `length` bytes at `at` exactly. */
  run(
    bytes: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    count: number,
    attributes: QueueAttributes,
  ): void {
    this.keyed = false;
    this.flawed = 0;
    this.unidentified = false;
    const end = at + length;
    let entryAt = at;
    for (let i = 0; i < count; i++) {
      if (entryAt + entry.ENTRY_HEADER_BYTES > end) throw malformed('An entry is cut off.');
      const entryBytes = view.getUint32(entryAt + entry.ENTRY_BYTES_AT, true);
      if (entryBytes > end - entryAt) throw malformed('An entry is longer than its frame.');
      const error = this.#check(bytes, view, entryAt, entryBytes, attributes);
      this.errors[i] = error;
      if (error !== NO_ERROR) this.flawed++;
      entryAt += entryBytes;
    }
    if (entryAt !== end) throw malformed('There are bytes after the last entry.');
  }

  #check(
    bytes: Uint8Array,
    view: DataView,
    at: number,
    entryBytes: number,
    queue: QueueAttributes,
  ): number {
    const head = view.getUint32(at + entry.FLAGS_AT, true);
    const flags = head & 0xff;
    const groupBytes = (head >>> 8) & 0xff;
    const deduplicationBytes = (head >>> 16) & 0xff;
    const bodyBytes = view.getUint32(at + entry.BODY_BYTES_AT, true);
    if ((flags & ~FLAGS_ALLOWED) !== 0) throw malformed('An entry has a flag that is reserved.');
    const fixed = entry.ENTRY_HEADER_BYTES + groupBytes + deduplicationBytes + (head >>> 24);
    if (fixed + bodyBytes > entryBytes) throw malformed('The parts of an entry exceed it.');
    const idsAt = at + entry.ENTRY_HEADER_BYTES;
    if (head > 0xff && !isUtf8(bytes.subarray(idsAt, at + fixed))) {
      throw malformed('An id or a trace header is not UTF-8.');
    }
    let attributeBytes = 0;
    if ((flags & entry.FLAG_ATTRIBUTES) === 0) {
      if (fixed + bodyBytes !== entryBytes) throw malformed('An entry has unknown parts.');
    } else {
      attributeBytes = entryBytes - fixed - bodyBytes - 4;
      if (attributeBytes < 1 || view.getUint32(at + fixed, true) !== attributeBytes) {
        throw malformed("An entry's attributes do not fill their place.");
      }
      if (!isAttributeBlock(bytes, view, at + fixed + 4, attributeBytes)) {
        throw malformed("An entry's attributes are not in their canonical form.");
      }
    }
    const bodyAt = at + entryBytes - bodyBytes;
    if ((flags & entry.FLAG_TEXT) !== 0 && !isUtf8(bytes.subarray(bodyAt, bodyAt + bodyBytes))) {
      throw malformed('A body is marked as text and is not UTF-8.');
    }
    if (groupBytes > 0) this.keyed = true;
    if (bodyBytes + attributeBytes > queue.messageBytesMax) return TOO_LARGE;
    if (groupBytes > GROUP_ID_BYTES_MAX || deduplicationBytes > DEDUPLICATION_ID_BYTES_MAX) {
      return INVALID;
    }
    const delayMs = view.getUint32(at + entry.DELAY_MS_AT, true);
    if (delayMs > RETENTION_MS_MAX && delayMs !== entry.DELAY_OF_QUEUE) return INVALID;
    if (!queue.fifo) return NO_ERROR;
    if (groupBytes === 0) return INVALID;
    if (deduplicationBytes > 0) return NO_ERROR;
    this.unidentified = true;
    return queue.contentBasedDeduplication ? NO_ERROR : INVALID;
  }
}

/** Whether a block is what command/message-attributes.ts would make of its attributes. */
export function isAttributeBlock(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
): boolean {
  const end = at + length;
  let from = at;
  let previousName: Buffer | undefined;
  for (let attributes = 0; from < end; attributes++) {
    if (attributes === MESSAGE_ATTRIBUTES_MAX) return false;
    const name = sized(bytes, view, from, end, ATTRIBUTE_NAME_BYTES_MAX);
    if (name === undefined) return false;
    if (previousName !== undefined && Buffer.compare(previousName, name) >= 0) return false;
    previousName = name;
    from += 4 + name.length;
    const type = sized(bytes, view, from, end, ATTRIBUTE_NAME_BYTES_MAX);
    if (type === undefined) return false;
    from += 4 + type.length;
    const isText = bytes[from] === 1;
    if (!isText && bytes[from] !== 2) return false;
    const value = sized(bytes, view, from + 1, end, length);
    if (value === undefined) return false;
    if (!isUtf8(name) || !isUtf8(type) || (isText && !isUtf8(value))) return false;
    from += 5 + value.length;
  }
  return from === end;
}

/** The bytes at `at` that a length, big endian, stands before: 1 .. `max`, all before `end`. */
function sized(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  max: number,
): Buffer | undefined {
  if (at + 4 > end) return undefined;
  const length = view.getUint32(at);
  if (length < 1 || length > max || at + 4 + length > end) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset + at + 4, length);
}
