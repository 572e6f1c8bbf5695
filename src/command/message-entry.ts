/* One message as it travels: from the router through the ring into the log, and from there into a
 * reply, always the same bytes, copied but never re-encoded. Little endian, no alignment.
 *
 *   0        4        8                         24      25       26       27       28
 *   +--------+--------+-------------------------+-------+--------+--------+--------+---------+
 *   | entry  | body   | message id, 16 bytes    | flags | group  | dedup  | trace  | delay   |
 *   | bytes  | bytes  |                         |       | bytes  | bytes  | bytes  | ms, u32 |
 *   +--------+--------+-------------------------+-------+--------+--------+--------+---------+
 *  32: [md5 of the body, 16] [group id] [deduplication id] [trace header]
 *      [attribute bytes, u32, then the attribute block] [body] -> entry bytes
 *
 * A part in brackets is present when its flag is set or its length is not 0. The attribute block
 * is SQS's canonical form, so that its MD5 is MD5OfMessageAttributes: sorted by name, per attribute
 * name length (u32, big endian), name, type length, type, one byte (1 string, 2 binary), value
 * length, value. */

import { copyBytes, copyFew } from '../base/bytes.ts';

export const ENTRY_HEADER_BYTES = 32;
export const MESSAGE_ID_BYTES = 16;
export const MD5_BYTES = 16;

export const ENTRY_BYTES_AT = 0;
export const BODY_BYTES_AT = 4;
export const MESSAGE_ID_AT = 8;
export const FLAGS_AT = 24;
export const GROUP_BYTES_AT = 25;
export const DEDUPLICATION_BYTES_AT = 26;
export const TRACE_BYTES_AT = 27;
export const DELAY_MS_AT = 28;

/** The MD5 of the body follows the header. */
export const FLAG_MD5 = 1;
/** An attribute block is present. */
export const FLAG_ATTRIBUTES = 2;
/** The body was given as text and is valid UTF-8. */
export const FLAG_TEXT = 4;

/** In the delay field: the queue's own delay holds. */
export const DELAY_OF_QUEUE = 0xffff_ffff;

/** A message to be encoded. Strings are encoded as UTF-8. */
export interface OutgoingMessage {
  readonly body: string | Uint8Array;
  /** 1 .. 128 bytes. */
  readonly groupId?: string | undefined;
  /** 1 .. 128 bytes. */
  readonly deduplicationId?: string | undefined;
  /** Undefined: the queue's delay. */
  readonly delayMs?: number | undefined;
  /** Canonical attribute block; see the drawing above. */
  readonly attributes?: Uint8Array | undefined;
  /** MD5 of the body, 16 bytes, where the sender has computed it already. */
  readonly md5?: Uint8Array | undefined;
  /** AWSTraceHeader, at most 255 bytes. */
  readonly traceHeader?: string | undefined;
}

/** An upper bound of the encoded size, cheap to compute. */
export function entryBytesBound(message: OutgoingMessage): number {
  const { body, groupId, deduplicationId, attributes, traceHeader } = message;
  return (
    ENTRY_HEADER_BYTES +
    (message.md5 === undefined ? 0 : MD5_BYTES) +
    textBytesBound(groupId) +
    textBytesBound(deduplicationId) +
    textBytesBound(traceHeader) +
    (attributes === undefined ? 0 : 4 + attributes.length) +
    (typeof body === 'string' ? Buffer.byteLength(body) : body.length)
  );
}

/** Of a text whose length has one byte to stand in. */
function textBytesBound(text: string | undefined): number {
  return text === undefined ? 0 : Math.min(text.length * 3, 0xff);
}

/** Writes `message` at `at` and returns the offset after it. The caller has checked the lengths
 *  and made room for `entryBytesBound(message)` bytes. */
export function encodeEntry(
  message: OutgoingMessage,
  messageId: Uint8Array,
  buffer: Buffer,
  view: DataView,
  at: number,
): number {
  let end = at + ENTRY_HEADER_BYTES;
  let flags = 0;
  copyFew(messageId, MESSAGE_ID_BYTES, buffer, at + MESSAGE_ID_AT);
  if (message.md5 !== undefined) {
    flags |= FLAG_MD5;
    copyFew(message.md5, MD5_BYTES, buffer, end);
    end += MD5_BYTES;
  }
  end += buffer[at + GROUP_BYTES_AT] = writeText(message.groupId, buffer, end);
  end += buffer[at + DEDUPLICATION_BYTES_AT] = writeText(message.deduplicationId, buffer, end);
  end += buffer[at + TRACE_BYTES_AT] = writeText(message.traceHeader, buffer, end);
  const { attributes, body } = message;
  if (attributes !== undefined && attributes.length > 0) {
    flags |= FLAG_ATTRIBUTES;
    view.setUint32(end, attributes.length, true);
    buffer.set(attributes, end + 4);
    end += 4 + attributes.length;
  }
  let bodyBytes: number;
  if (typeof body === 'string') {
    flags |= FLAG_TEXT;
    bodyBytes = buffer.write(body, end, 'utf8');
  } else {
    copyBytes(body, 0, body.length, buffer, end);
    bodyBytes = body.length;
  }
  end += bodyBytes;
  buffer[at + FLAGS_AT] = flags;
  view.setUint32(at + ENTRY_BYTES_AT, end - at, true);
  view.setUint32(at + BODY_BYTES_AT, bodyBytes, true);
  view.setUint32(at + DELAY_MS_AT, message.delayMs ?? DELAY_OF_QUEUE, true);
  return end;
}

function writeText(text: string | undefined, buffer: Buffer, at: number): number {
  return text === undefined ? 0 : buffer.write(text, at, 'utf8');
}

/** Offset of the group id of the entry at `at`; its length is the byte at GROUP_BYTES_AT. */
export function groupIdOffset(buffer: Uint8Array, at: number): number {
  return at + ENTRY_HEADER_BYTES + ((buffer[at + FLAGS_AT]! & FLAG_MD5) === 0 ? 0 : MD5_BYTES);
}

/** Offset of the deduplication id; its length is the byte at DEDUPLICATION_BYTES_AT. */
export function deduplicationIdOffset(buffer: Uint8Array, at: number): number {
  return groupIdOffset(buffer, at) + buffer[at + GROUP_BYTES_AT]!;
}

/** Offset of the trace header; its length is the byte at TRACE_BYTES_AT. */
export function traceHeaderOffset(buffer: Uint8Array, at: number): number {
  return deduplicationIdOffset(buffer, at) + buffer[at + DEDUPLICATION_BYTES_AT]!;
}

/** Offset of the attribute block's length field, if FLAG_ATTRIBUTES is set. */
export function attributesOffset(buffer: Uint8Array, at: number): number {
  return traceHeaderOffset(buffer, at) + buffer[at + TRACE_BYTES_AT]!;
}

/** Offset of the body; it ends the entry. */
export function bodyOffset(view: DataView, at: number): number {
  return at + view.getUint32(at + ENTRY_BYTES_AT, true) - view.getUint32(at + BODY_BYTES_AT, true);
}
