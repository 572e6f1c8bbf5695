/* Outgoing messages as entries (command/message-entry.ts), written into a frame. What an entry
 * cannot hold is refused here, and with it the call that it is of. Loads in a browser. */

import { BrokerError } from '../base/errors.ts';
import {
  DEDUPLICATION_ID_BYTES_MAX,
  GROUP_ID_BYTES_MAX,
  MESSAGE_ATTRIBUTES_MAX,
  MESSAGE_BYTES_MAX,
  RETENTION_MS_MAX,
} from '../base/limits.ts';
import { encodeAttributeBlock, type MessageAttribute } from '../command/message-attributes.ts';
import * as entry from '../command/message-entry.ts';
import type { FrameWriter } from '../wire/frame-writer.ts';
import type { AttributeInput, MessageInput } from './types.ts';

const TRACE_BYTES_MAX = 255;
/** Up to so many characters, looking at each is faster than calling the encoder. */
const SHORT_CHARS_MAX = 64;

const encoder = new TextEncoder();

function invalid(detail: string): BrokerError {
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

/** Attributes as their canonical block; undefined: there are none. */
export function attributeBlock(attributes: MessageInput['attributes']): Uint8Array | undefined {
  if (attributes === undefined) return undefined;
  const entries = Object.entries(attributes);
  if (entries.length === 0) return undefined;
  if (entries.length > MESSAGE_ATTRIBUTES_MAX) {
    throw invalid(`A message has at most ${MESSAGE_ATTRIBUTES_MAX} attributes.`);
  }
  return encodeAttributeBlock(entries.map(([name, input]) => attributeOf(name, input)));
}

function attributeOf(name: string, input: AttributeInput): MessageAttribute {
  if (!/^[\w.-]{1,256}$/.test(name)) {
    throw invalid('The name of an attribute has 1 to 256 letters, digits, "_", "-" and ".".');
  }
  const attribute = typed(name, input);
  if (!/^(String|Number|Binary)(\.[\x20-\x7e]{1,249})?$/.test(attribute.type)) {
    throw invalid(`The type of attribute "${name}" is String, Number or Binary.`);
  }
  if (attribute.value.length === 0) throw invalid(`The attribute "${name}" has no value.`);
  return attribute;
}

function typed(name: string, input: AttributeInput): MessageAttribute {
  if (typeof input === 'string') return { name, type: 'String', value: input };
  if (typeof input === 'number') return { name, type: 'Number', value: String(input) };
  if (input instanceof Uint8Array) return { name, type: 'Binary', value: input };
  return { name, type: input.type, value: input.value };
}

/** An upper bound of what `writeEntry` takes, cheap to compute. */
export function entryBound(message: MessageInput, attributes: Uint8Array | undefined): number {
  const { body, groupId, deduplicationId, traceHeader } = message;
  const texts =
    (groupId === undefined ? 0 : groupId.length) +
    (deduplicationId === undefined ? 0 : deduplicationId.length) +
    (traceHeader === undefined ? 0 : traceHeader.length);
  const bodyBytes = typeof body === 'string' ? body.length * 3 : body.length;
  const attributeBytes = attributes === undefined ? 0 : 4 + attributes.length;
  return entry.ENTRY_HEADER_BYTES + texts * 3 + bodyBytes + attributeBytes;
}

/** Appends the entry of `message`. Throws CAPSTAN_INVALID_ARGUMENT or CAPSTAN_MESSAGE_TOO_LARGE;
 *  the caller then takes back what was written. */
export function writeEntry(
  message: MessageInput,
  attributes: Uint8Array | undefined,
  writer: FrameWriter,
): void {
  writer.reserve(entryBound(message, attributes));
  const { buffer, view } = writer;
  const at = writer.length;
  let end = at + entry.ENTRY_HEADER_BYTES;
  const { groupId, deduplicationId, traceHeader, body, delayMs } = message;
  let head = 0;
  if (groupId !== undefined) {
    const bytes = writeId('groupId', groupId, GROUP_ID_BYTES_MAX, buffer, end);
    head |= bytes << 8;
    end += bytes;
  }
  if (deduplicationId !== undefined) {
    const max = DEDUPLICATION_ID_BYTES_MAX;
    const bytes = writeId('deduplicationId', deduplicationId, max, buffer, end);
    head |= bytes << 16;
    end += bytes;
  }
  if (traceHeader !== undefined) {
    const bytes = writeId('traceHeader', traceHeader, TRACE_BYTES_MAX, buffer, end);
    head |= bytes << 24;
    end += bytes;
  }
  if (attributes !== undefined) {
    head |= entry.FLAG_ATTRIBUTES;
    view.setUint32(end, attributes.length, true);
    buffer.set(attributes, end + 4);
    end += 4 + attributes.length;
  }
  let bodyBytes: number;
  if (typeof body === 'string') {
    head |= entry.FLAG_TEXT;
    bodyBytes = writeText(body, buffer, end);
  } else {
    buffer.set(body, end);
    bodyBytes = body.length;
  }
  end += bodyBytes;
  if (bodyBytes > MESSAGE_BYTES_MAX) {
    const detail = `A body has ${bodyBytes} bytes; a message has at most ${MESSAGE_BYTES_MAX}.`;
    throw new BrokerError('CAPSTAN_MESSAGE_TOO_LARGE', detail);
  }
  view.setUint32(at + entry.ENTRY_BYTES_AT, end - at, true);
  view.setUint32(at + entry.BODY_BYTES_AT, bodyBytes, true);
  // The server gives the id; a buffer that is used again is not clean.
  view.setFloat64(at + entry.MESSAGE_ID_AT, 0);
  view.setFloat64(at + entry.MESSAGE_ID_AT + 8, 0);
  view.setUint32(at + entry.FLAGS_AT, head >>> 0, true);
  view.setUint32(at + entry.DELAY_MS_AT, delayOf(delayMs), true);
  writer.length = end;
}

function delayOf(delayMs: number | undefined): number {
  if (delayMs === undefined) return entry.DELAY_OF_QUEUE;
  if (Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= RETENTION_MS_MAX) return delayMs;
  throw invalid(`delayMs is ${delayMs}; it must be a whole number from 0 to ${RETENTION_MS_MAX}.`);
}

function writeId(what: string, id: string, bytesMax: number, buffer: Uint8Array, at: number) {
  const bytes = writeText(id, buffer, at);
  if (bytes >= 1 && bytes <= bytesMax) return bytes;
  throw invalid(`${what} has ${bytes} bytes; it must have 1 to ${bytesMax}.`);
}

/** Writes `text` as UTF-8 and returns its bytes; there is room for three per character. */
function writeText(text: string, buffer: Uint8Array, at: number): number {
  const { length } = text;
  if (length <= SHORT_CHARS_MAX) {
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) break;
      buffer[at + i] = unit;
    }
    if (i === length) return length;
  }
  return encoder.encodeInto(text, buffer.subarray(at)).written;
}
