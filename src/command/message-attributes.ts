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
  const sorted = attributes.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (const { name, type, value } of sorted) {
    const isText = typeof value === 'string';
    const three = [
      encoder.encode(name),
      encoder.encode(type),
      isText ? encoder.encode(value) : value,
    ];
    parts.push(...three);
    for (const part of three) bytes += 4 + part.length;
    bytes += 1;
  }
  const block = new Uint8Array(bytes);
  const view = new DataView(block.buffer);
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const isValue = index % 3 === 2;
    if (isValue) {
      const { value } = sorted[(index - 2) / 3]!;
      block[at++] = typeof value === 'string' ? STRING_VALUE : BINARY_VALUE;
    }
    view.setUint32(at, part.length);
    block.set(part, at + 4);
    at += 4 + part.length;
  }
  return block;
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
