import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  attributeBytes,
  decodeAttributeBlock,
  encodeAttributeBlock,
} from '../../../src/command/message-attributes.ts';
import * as entry from '../../../src/command/message-entry.ts';

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const messages = fc.record({
  body: fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array()),
  groupId: optional(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })),
  deduplicationId: optional(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })),
  delayMs: optional(fc.nat(900_000)),
  attributes: optional(fc.uint8Array({ minLength: 1 })),
  md5: optional(fc.uint8Array({ minLength: 16, maxLength: 16 })),
  traceHeader: optional(fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme-ascii' })),
});
const id = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

test('an entry gives back every part of its message', () => {
  fc.assert(fc.property(messages, fc.nat(20), checkRoundTrip));
});

function checkRoundTrip(message: entry.OutgoingMessage, at: number): void {
  const bound = entry.entryBytesBound(message);
  const buffer = Buffer.alloc(at + bound + 8, 0xee);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const end = entry.encodeEntry(message, id, buffer, view, at);
  expect(end - at).toBeLessThanOrEqual(bound);
  expect(view.getUint32(at + entry.ENTRY_BYTES_AT, true)).toBe(end - at);
  expect(buffer.subarray(end)).toEqual(Buffer.alloc(buffer.length - end, 0xee));

  const flags = buffer[at + entry.FLAGS_AT]!;
  const text = (from: number, lengthAt: number) =>
    buffer.toString('utf8', from, from + buffer[at + lengthAt]!) || undefined;
  expect(text(entry.groupIdOffset(buffer, at), entry.GROUP_BYTES_AT)).toBe(message.groupId);
  expect(text(entry.deduplicationIdOffset(buffer, at), entry.DEDUPLICATION_BYTES_AT)).toBe(
    message.deduplicationId,
  );
  expect(text(entry.traceHeaderOffset(buffer, at), entry.TRACE_BYTES_AT)).toBe(message.traceHeader);
  expect((flags & entry.FLAG_MD5) !== 0).toBe(message.md5 !== undefined);
  expect((flags & entry.FLAG_TEXT) !== 0).toBe(typeof message.body === 'string');
  expect(view.getUint32(at + entry.DELAY_MS_AT, true)).toBe(
    message.delayMs ?? entry.DELAY_OF_QUEUE,
  );
  if (message.attributes !== undefined) {
    const from = entry.attributesOffset(buffer, at);
    expect(view.getUint32(from, true)).toBe(message.attributes.length);
    expect(buffer.subarray(from + 4, from + 4 + message.attributes.length)).toEqual(
      Buffer.from(message.attributes),
    );
  }
  const { body } = message;
  const bodyBytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body);
  expect(buffer.subarray(entry.bodyOffset(view, at), end)).toEqual(bodyBytes);
}

const attributeLists = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' }),
    type: fc.constantFrom('String', 'Number', 'String.custom'),
    value: fc.oneof(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.string({ minLength: 1, unit: 'binary' }),
    ),
  }),
  { selector: ({ name }) => name, maxLength: 10 },
);

test('an attribute block gives back its attributes, sorted by name', () => {
  fc.assert(
    fc.property(attributeLists, (attributes) => {
      const sorted = attributes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      expect(decodeAttributeBlock(encodeAttributeBlock(attributes))).toEqual(sorted);
    }),
  );
});

test('the bytes of an attribute block are those of its names, types and values', () => {
  fc.assert(
    fc.property(attributeLists, (attributes) => {
      const texts = attributes.flatMap(({ name, type, value }) => [name, type, value]);
      const block = encodeAttributeBlock(attributes);
      expect(attributeBytes(block)).toBe(Buffer.byteLength(texts.join('')));
    }),
  );
});

test('half a pair of surrogates is encoded as TextEncoder does', () => {
  for (const value of ['\ud800', 'a\udc00b', '\ud83d\ud83d\ude00']) {
    const block = encodeAttributeBlock([{ name: 'n', type: 'String', value }]);
    const decoded = new TextDecoder().decode(new TextEncoder().encode(value));
    expect(decodeAttributeBlock(block)).toEqual([{ name: 'n', type: 'String', value: decoded }]);
  }
});

test('the MD5 of an attribute block is the one that SQS computes', () => {
  const block = encodeAttributeBlock([
    { name: 'timestamp', type: 'Number', value: '1493147359900' },
  ]);
  expect(createHash('md5').update(block).digest('hex')).toBe('235c5c510d26fb653d073faed50ae77c');
});
