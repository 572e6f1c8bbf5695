import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAttributeBlock } from '../../../../src/command/message-attributes.ts';
import { defaultAttributes } from '../../../../src/command/queue-definition.ts';
import { EntryCheck } from '../../../../src/door/socket/entry-check.ts';
import { ProtocolViolation } from '../../../../src/wire/frame.ts';
import { type EntryFields, entryBytes } from '../../../support/native-frames.ts';

const STANDARD = defaultAttributes(false);
const FIFO = defaultAttributes(true);
const BLOCK = encodeAttributeBlock([
  { name: 'a', type: 'String', value: 'x' },
  { name: 'b', type: 'Binary', value: Uint8Array.of(1) },
]);

function run(bytes: Buffer, count: number, queue = STANDARD): EntryCheck {
  const check = new EntryCheck();
  const padded = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)]);
  const view = new DataView(padded.buffer, padded.byteOffset, padded.length);
  check.run(padded, view, 3, bytes.length, count, queue);
  return check;
}

function errors(queue: typeof STANDARD, ...entries: EntryFields[]): number[] {
  const check = run(Buffer.concat(entries.map(entryBytes)), entries.length, queue);
  return [...check.errors.subarray(0, entries.length)];
}

describe('a run of entries', () => {
  it('passes with every part that an entry may have', () => {
    const all = { body: 'ü', group: 'g', deduplication: 'd', trace: 't', attributes: BLOCK };
    expect(errors(STANDARD, all, {}, { body: Uint8Array.of(255) })).toEqual([0, 0, 0]);
    expect(run(entryBytes({ body: 'x' }), 1).keyed).toBe(false);
    expect(run(entryBytes(all), 1).keyed).toBe(true);
  });

  it.each([
    ['a flag of the server', entryBytes({ flags: 1, body: 'x'.repeat(20) })],
    ['an unknown flag', entryBytes({ flags: 8 })],
    ['text that is not UTF-8', entryBytes({ flags: 4, body: Uint8Array.of(255) })],
    ['attributes without a block', entryBytes({ flags: 2 })],
    ['an attribute block that is cut', entryBytes({ attributes: BLOCK.slice(0, -1) })],
    [
      'an attribute block out of order',
      entryBytes({
        attributes: Buffer.concat([BLOCK.subarray(16), BLOCK.subarray(0, 16)]),
      }),
    ],
    ['a byte too many', Buffer.concat([entryBytes({}), Buffer.alloc(1)])],
    ['a byte too few', entryBytes({ body: 'abc' }).subarray(0, -1)],
    ['a cut header', entryBytes({}).subarray(0, 31)],
  ])('is refused as a whole over %s', (_, bytes) => {
    expect(() => run(bytes, 1)).toThrow(ProtocolViolation);
  });

  it('fails single entries that the queue cannot take', () => {
    const small = { ...STANDARD, messageBytesMax: 10 };
    expect(errors(small, { body: 'x'.repeat(10) }, { body: 'x'.repeat(11) })).toEqual([0, 5]);
    expect(errors({ ...STANDARD, messageBytesMax: BLOCK.length }, { attributes: BLOCK })).toEqual([
      0,
    ]);
    expect(
      errors({ ...STANDARD, messageBytesMax: BLOCK.length - 1 }, { attributes: BLOCK }),
    ).toEqual([5]);
    expect(errors(STANDARD, { delayMs: 1_209_600_000 }, { delayMs: 1_209_600_001 })).toEqual([
      0, 4,
    ]);
    expect(errors(STANDARD, { group: 'g'.repeat(128) }, { group: 'g'.repeat(129) })).toEqual([
      0, 4,
    ]);
  });

  it('fails entries of a FIFO queue without their ids', () => {
    const both = { group: 'g', deduplication: 'd' };
    expect(errors(FIFO, both, { group: 'g' }, { deduplication: 'd' })).toEqual([0, 4, 4]);
    const byContent = { ...FIFO, contentBasedDeduplication: true };
    expect(errors(byContent, both, { group: 'g' })).toEqual([0, 0]);
    expect(run(entryBytes({ group: 'g' }), 1, byContent).unidentified).toBe(true);
    expect(run(entryBytes(both), 1, byContent).unidentified).toBe(false);
  });

  it('with any bytes either passes or breaks the protocol', () => {
    const seeds = [entryBytes({ body: 'hello', group: 'g', attributes: BLOCK })];
    const mutated = fc
      .tuple(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 4 }),
      )
      .map(([seed, changes]) => {
        const bytes = Buffer.from(seed);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    const bytes = fc.oneof(
      mutated,
      fc.uint8Array({ maxLength: 100 }).map((any) => Buffer.from(any)),
    );
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 3 }), (any, count) => {
        try {
          run(any, count);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolViolation);
        }
      }),
    );
  });
});
