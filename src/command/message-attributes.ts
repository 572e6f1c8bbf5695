/* Message attributes and their canonical block, the form in which they are stored and over which
 * SQS computes MD5OfMessageAttributes: sorted by name, per attribute
 *   name bytes, u32 | name | type bytes, u32 | type | 1 string or 2 binary, u8 |
 *   value bytes, u32 | value
 * with big-endian lengths. Rule: SQS developer guide, message metadata. */

/** One message attribute. A `String` or `Number` holds text, a `Binary` holds bytes. */
export interface MessageAttribute {
  readonly name: string;
  /** `String`, `Number` or `Binary`, with an optional `.custom` suffix. */
  readonly type: string;
  readonly value: string | Uint8Array;
}

const STRING_VALUE = 1;
const BINARY_VALUE = 2;

/** Encodes `attributes` in any order. The caller has checked names, types and values. */
export function encodeAttributeBlock(attributes: readonly MessageAttribute[]): Uint8Array {
  const sorted = attributes.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  let bytes = 0;
  for (const { name, type, value } of sorted) {
    const valueBytes = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
    bytes += 13 + Buffer.byteLength(name) + Buffer.byteLength(type) + valueBytes;
  }
  const block = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { name, type, value } of sorted) {
    at = writeSized(block, name, at);
    at = writeSized(block, type, at);
    block[at++] = typeof value === 'string' ? STRING_VALUE : BINARY_VALUE;
    at = writeSized(block, value, at);
  }
  return block;
}

function writeSized(block: Buffer, value: string | Uint8Array, at: number): number {
  let bytes: number;
  if (typeof value === 'string') {
    bytes = block.write(value, at + 4, 'utf8');
  } else {
    block.set(value, at + 4);
    bytes = value.length;
  }
  block.writeUInt32BE(bytes, at);
  return at + 4 + bytes;
}

/** The attributes of a block, in its order; binary values are views of it. */
export function decodeAttributeBlock(block: Uint8Array): MessageAttribute[] {
  const buffer = Buffer.from(block.buffer, block.byteOffset, block.length);
  const attributes: MessageAttribute[] = [];
  let at = 0;
  while (at < buffer.length) {
    const nameEnd = at + 4 + buffer.readUInt32BE(at);
    const name = buffer.toString('utf8', at + 4, nameEnd);
    const typeEnd = nameEnd + 4 + buffer.readUInt32BE(nameEnd);
    const type = buffer.toString('utf8', nameEnd + 4, typeEnd);
    const isText = buffer[typeEnd] === STRING_VALUE;
    const valueAt = typeEnd + 5;
    at = valueAt + buffer.readUInt32BE(typeEnd + 1);
    attributes.push({
      name,
      type,
      value: isText ? buffer.toString('utf8', valueAt, at) : buffer.subarray(valueAt, at),
    });
  }
  return attributes;
}
