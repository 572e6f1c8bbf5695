/* Message attributes and their canonical block, the form in which they are stored and over which
 * SQS computes MD5OfMessageAttributes: sorted by name, per attribute
 *   name bytes, u32 | name | type bytes, u32 | type | 1 string or 2 binary, u8 |
 *   value bytes, u32 | value
 * with big-endian lengths. Rule: SQS developer guide, message metadata. Loads in a browser. */

/** One message attribute. A `String` or `Number` holds text, a `Binary` holds bytes. */
export interface MessageAttribute {
  readonly name: string;
  /** `String`, `Number` or `Binary`, with an optional `.custom` suffix. */
  readonly type: string;
  readonly value: string | Uint8Array;
}

const STRING_VALUE = 1;
const BINARY_VALUE = 2;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a block adds to each attribute: three lengths, and one byte for the kind of its value. */
const BLOCK_OVERHEAD_BYTES = 13;

/** The size of a block's names, types and values: what counts towards the size of a message. */
export function attributeBytes(block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  let bytes = block.length;
  for (let at = 0; at < block.length; bytes -= BLOCK_OVERHEAD_BYTES) {
    at += 4 + view.getUint32(at);
    at += 4 + view.getUint32(at) + 1;
    at += 4 + view.getUint32(at);
  }
  return bytes;
}

/** Encodes `attributes` in any order. The caller has checked names, types and values. */
export function encodeAttributeBlock(attributes: readonly MessageAttribute[]): Uint8Array {
  const sorted =
    attributes.length < 2
      ? attributes
      : attributes.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  let bytes = 0;
  for (const { name, type, value } of sorted) {
    const valueBytes = typeof value === 'string' ? utf8Bytes(value) : value.length;
    bytes += BLOCK_OVERHEAD_BYTES + utf8Bytes(name) + utf8Bytes(type) + valueBytes;
  }
  const block = new Uint8Array(bytes);
  let at = 0;
  for (const { name, type, value } of sorted) {
    at = writeText(block, name, at);
    at = writeText(block, type, at);
    if (typeof value === 'string') {
      block[at] = STRING_VALUE;
      at = writeText(block, value, at + 1);
    } else {
      block[at] = BINARY_VALUE;
      writeLength(block, value.length, at + 1);
      block.set(value, at + 5);
      at += 5 + value.length;
    }
  }
  return block;
}

/** What TextEncoder makes of a surrogate without its other half has three bytes. */
function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      bytes += 1;
    } else {
      bytes += 2;
      // Four bytes for a pair of units: two of them are counted already.
      const isPair = (unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
      if (isPair) i++;
    }
  }
  return bytes;
}

/** Writes a length and the text. Texts are short, and mostly ASCII: that is written here, because
 *  a call of TextEncoder takes longer than all of the rest. */
function writeText(block: Uint8Array, text: string, at: number): number {
  const start = at + 4;
  let end = start;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) {
      end = start + encoder.encodeInto(text, block.subarray(start)).written;
      break;
    }
    block[end++] = unit;
  }
  writeLength(block, end - start, at);
  return end;
}

function writeLength(block: Uint8Array, length: number, at: number): void {
  block[at] = length >>> 24;
  block[at + 1] = length >>> 16;
  block[at + 2] = length >>> 8;
  block[at + 3] = length;
}

/** The attributes of a block, in its order; binary values are views of it. */
export function decodeAttributeBlock(block: Uint8Array): MessageAttribute[] {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const text = (from: number, end: number) => decoder.decode(block.subarray(from, end));
  const attributes: MessageAttribute[] = [];
  let at = 0;
  while (at < block.length) {
    const nameEnd = at + 4 + view.getUint32(at);
    const name = text(at + 4, nameEnd);
    const typeEnd = nameEnd + 4 + view.getUint32(nameEnd);
    const type = text(nameEnd + 4, typeEnd);
    const isText = block[typeEnd] === STRING_VALUE;
    const valueAt = typeEnd + 5;
    at = valueAt + view.getUint32(typeEnd + 1);
    const value = isText ? text(valueAt, at) : block.subarray(valueAt, at);
    attributes.push({ name, type, value });
  }
  return attributes;
}
