import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as record from '../../../../src/log/wal/record.ts';

const WORD = fc.integer({ min: 0, max: 0xffff_ffff });
const LARGE = fc.maxSafeNat();

const SEGMENT_HEADER = fc.record({
  segmentBytes: fc.constant(64 * 1024),
  saltLow: WORD,
  saltHigh: WORD,
  index: LARGE,
  firstSequence: LARGE,
  durableSequence: LARGE,
});

const PAYLOADS = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 20 });

interface Frame {
  readonly bytes: Buffer;
  readonly length: number;
}

/** A frame of these records, `lead` bytes into a buffer. */
function frameOf(
  payloads: readonly Uint8Array[],
  segment: record.SegmentHeader,
  sequence = 7,
  lead = 8,
): Frame {
  const bytes = Buffer.alloc(lead + 8192, 0xaa);
  let at = lead + record.FRAME_HEADER_BYTES;
  for (const payload of payloads) {
    bytes.writeUInt32LE(payload.length, at);
    bytes.set(payload, at + record.RECORD_HEADER_BYTES);
    at += record.RECORD_HEADER_BYTES + payload.length;
  }
  const end = record.alignFrame(at);
  bytes.fill(0, at, end);
  const view = record.viewOf(bytes);
  record.sealFrame(bytes, view, lead, end, segment, sequence, sequence - 1, payloads.length);
  return { bytes, length: end - lead };
}

function recordsOf({ bytes, length }: Frame, position = 1000, lead = 8) {
  const found: { payload: Uint8Array; position: number }[] = [];
  const view = record.viewOf(bytes);
  const whole = record.forEachRecord(
    bytes,
    view,
    lead,
    length,
    position,
    (buffer, _view, offset, bytesLong, at) =>
      found.push({
        payload: new Uint8Array(buffer.subarray(offset, offset + bytesLong)),
        position: at,
      }),
  );
  return { whole, found };
}

const SEGMENT: record.SegmentHeader = {
  segmentBytes: 64 * 1024,
  saltLow: 0x01020304,
  saltHigh: 0xa1a2a3a4,
  index: 3,
  firstSequence: 5,
  durableSequence: 4,
};

describe("a segment's header", () => {
  it('is decoded to what was encoded', () => {
    fc.assert(
      fc.property(SEGMENT_HEADER, (header) => {
        const bytes = record.encodeSegmentHeader(header);
        expect(bytes).toHaveLength(record.SEGMENT_HEADER_BYTES);
        expect(record.decodeSegmentHeader(bytes)).toEqual(header);
      }),
    );
  });

  it('with any bit changed is damaged', () => {
    const bytes = record.encodeSegmentHeader(SEGMENT);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(record.decodeSegmentHeader(changed), `bit ${bit}`).toBe('damaged');
    }
  });

  it('that is cut off is damaged', () => {
    const bytes = record.encodeSegmentHeader(SEGMENT);
    for (let length = 0; length < bytes.length; length++) {
      expect(record.decodeSegmentHeader(bytes.subarray(0, length))).toBe('damaged');
    }
  });
});

describe('a frame', () => {
  it('gives its records back, in order and at their positions', () => {
    fc.assert(
      fc.property(PAYLOADS, SEGMENT_HEADER, LARGE, (payloads, segment, sequence) => {
        const frame = frameOf(payloads, segment, sequence);
        const view = record.viewOf(frame.bytes);
        expect(frame.length % record.FRAME_ALIGNMENT).toBe(0);
        expect(record.frameLength(view, 8, segment, 10_000)).toBe(frame.length);
        expect(record.frameIsSound(frame.bytes, view, 8, frame.length)).toBe(true);
        expect(record.frameSequence(view, 8)).toBe(sequence);
        expect(record.frameRecords(view, 8)).toBe(payloads.length);
        const { whole, found } = recordsOf(frame);
        expect(whole).toBe(true);
        expect(found.map((each) => each.payload)).toEqual(payloads);
        let position = 1000 + record.FRAME_HEADER_BYTES;
        for (const each of found) {
          position += record.RECORD_HEADER_BYTES;
          expect(each.position).toBe(position);
          position += each.payload.length;
        }
      }),
    );
  });

  it('with any bit changed is not sound, or none of the segment', () => {
    const { bytes, length } = frameOf([Buffer.from('hello'), Buffer.from('world!')], SEGMENT);
    for (let bit = 8 * 8; bit < (8 + length) * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const view = record.viewOf(changed);
      const told = record.frameLength(view, 8, SEGMENT, 8192);
      const sound = told !== 0 && record.frameIsSound(changed, view, 8, told);
      expect(sound, `bit ${bit}`).toBe(false);
    }
  });

  it('of another salt is none of the segment', () => {
    const { bytes } = frameOf([Buffer.from('x')], SEGMENT);
    const view = record.viewOf(bytes);
    for (const other of [{ saltLow: 1 }, { saltHigh: 1 }]) {
      expect(record.frameLength(view, 8, { ...SEGMENT, ...other }, 8192)).toBe(0);
    }
  });

  it('that does not fit the room left is none', () => {
    const { bytes, length } = frameOf([Buffer.from('x')], SEGMENT);
    const view = record.viewOf(bytes);
    expect(record.frameLength(view, 8, SEGMENT, length)).toBe(length);
    expect(record.frameLength(view, 8, SEGMENT, length - 1)).toBe(0);
  });

  it.each([0, 24, 41, 0xffff_ffff])('whose length says %i is none', (length) => {
    const { bytes } = frameOf([Buffer.from('x')], SEGMENT);
    bytes.writeUInt32LE(length, 8 + 4);
    expect(record.frameLength(record.viewOf(bytes), 8, SEGMENT, 8192)).toBe(0);
  });

  it('whose records overrun it says so, and hands none out that does', () => {
    const frame = frameOf([Buffer.from('one'), Buffer.from('two')], SEGMENT);
    for (const damaged of [0, 6, 0xffff_ffff]) {
      const bytes = Buffer.from(frame.bytes);
      const second = 8 + record.FRAME_HEADER_BYTES + record.RECORD_HEADER_BYTES + 3;
      bytes.writeUInt32LE(damaged, second);
      const { whole, found } = recordsOf({ bytes, length: frame.length });
      expect(whole).toBe(false);
      expect(found).toHaveLength(1);
    }
  });

  it('that tells of more records than it holds says so', () => {
    const frame = frameOf([Buffer.from('one')], SEGMENT);
    frame.bytes.writeUInt32LE(9, 8 + 32);
    expect(recordsOf(frame).whole).toBe(false);
  });
});

describe('where a frame may begin', () => {
  it('is the next multiple of the alignment', () => {
    expect([0, 1, 7, 8, 9, 64].map(record.alignFrame)).toEqual([0, 8, 8, 8, 16, 64]);
  });
});
