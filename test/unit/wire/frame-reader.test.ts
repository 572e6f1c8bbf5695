import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLOSE, COLD_FRAME_BYTES_MAX, ProtocolViolation } from '../../../src/wire/frame.ts';
import { FrameReader } from '../../../src/wire/frame-reader.ts';
import { FrameWriter } from '../../../src/wire/frame-writer.ts';

function reading(bytes: Uint8Array): FrameReader {
  const reader = new FrameReader();
  reader.open(bytes);
  return reader;
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('the reader of frames', () => {
  it.each([
    ['00', 0],
    ['7f', 127],
    ['cc ff', 255],
    ['cd 01 00', 256],
    ['ce ff ff ff ff', 0xffff_ffff],
    ['cf 00 00 00 00 00 00 00 05', 5],
    ['cf 00 1f ff ff ff ff ff ff', Number.MAX_SAFE_INTEGER],
    ['cd 00 01', 1],
  ])('takes %s for a whole number', (bytes, value) => {
    expect(reading(hex(bytes)).uint()).toBe(value);
  });

  it.each([
    'ff',
    'd0 01',
    'cb 3f f0 00 00 00 00 00 00',
    'a1 31',
    'c0',
    '',
    'cd 01',
    'cf 00 20 00 00 00 00 00 00',
    'cf ff ff ff ff ff ff ff ff',
  ])('takes %s for none', (bytes) => {
    expect(() => reading(hex(bytes)).uint()).toThrow(ProtocolViolation);
  });

  it('finds bins and strs of every width, and none that ends beyond the message', () => {
    for (const size of [0, 1, 31, 32, 255, 256, 65_535, 65_536]) {
      const reader = reading(encode(new Uint8Array(size)));
      reader.bytesField();
      expect(reader.fieldLength).toBe(size);
      expect(reader.atEnd).toBe(true);
      expect(reading(encode('x'.repeat(size))).string(100_000).length).toBe(size);
      const cut = encode(new Uint8Array(size)).slice(0, -1);
      expect(() => reading(cut).bytesField()).toThrow(ProtocolViolation);
    }
    expect(() => reading(hex('c6 ff ff ff ff 00')).bytesField()).toThrow('cut off');
    expect(() => reading(hex('db ff ff ff ff 00')).string(80)).toThrow(ProtocolViolation);
    expect(() => reading(hex('a2 c3 28')).string(80)).toThrow('UTF-8');
    expect(() => reading(encode('xxxx')).string(3)).toThrow('more than 3');
  });

  it('gives back any value that a msgpack library writes', () => {
    const value = fc
      .jsonValue({ maxDepth: 5 })
      .filter((any) => !JSON.stringify(any).includes('"__proto__"'));
    fc.assert(
      fc.property(value, fc.nat(100), (any, after) => {
        const reader = reading(Buffer.concat([encode(any), encode(after)]));
        expect(JSON.stringify(reader.value())).toBe(JSON.stringify(any));
        expect(reader.uint()).toBe(after);
      }),
    );
  });

  it.each([
    ['arrays nested without end', Buffer.alloc(200_000, 0x91)],
    ['maps nested without end', Buffer.alloc(200_000, 0x81)],
    ['an array that declares 4 billion elements', hex('dd ff ff ff ff 00 00')],
    ['a map that declares 4 billion pairs', hex('df ff ff ff ff 00 00')],
    ['a str that declares 4 GiB', hex('db ff ff ff ff 00')],
    ['a bin that declares 4 GiB', hex('c6 ff ff ff ff 00')],
    ['an ext that declares 4 GiB', hex('c9 ff ff ff ff 01 00')],
    ['the byte that begins nothing', hex('c1')],
    ['an array that is cut', hex('93 01 02')],
    ['a key that would change prototypes', encode(JSON.parse('{"__proto__":1}'))],
    ['a map with keys that are arrays', hex('81 91 01 01')],
  ])('refuses %s, at once', (_, bytes) => {
    expect(() => reading(bytes).value()).toThrow(ProtocolViolation);
  });

  it('refuses an element that is too large, whatever it is', () => {
    const large = new Array(COLD_FRAME_BYTES_MAX).fill(0);
    for (const any of ['x'.repeat(COLD_FRAME_BYTES_MAX), large]) {
      try {
        reading(encode(any)).value();
        expect.unreachable();
      } catch (error) {
        expect((error as ProtocolViolation).closeCode).toBe(CLOSE.TOO_LARGE);
      }
    }
  });

  it('with any bytes either finds something inside of them or breaks off', () => {
    const reads = [
      (reader: FrameReader) => reader.value(),
      (reader: FrameReader) => reader.array(),
      (reader: FrameReader) => reader.uint(),
      (reader: FrameReader) => reader.bytesField(),
      (reader: FrameReader) => reader.string(100),
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(...reads), (bytes, read) => {
        const reader = reading(bytes);
        try {
          read(reader);
          expect(reader.at).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolViolation);
        }
      }),
    );
  });
});

describe('the writer of frames', () => {
  it('writes what a msgpack library reads, however large it grows', () => {
    const field = fc.oneof(fc.maxSafeNat(), fc.string(), fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(fc.array(field, { maxLength: 15 }), (fields) => {
        const writer = new FrameWriter(8);
        writer.array(fields.length);
        for (const each of fields) {
          if (typeof each === 'number') writer.uint(each);
          else if (typeof each === 'string') writer.string(each);
          else writer.bytes(each);
        }
        const reader = reading(writer.written);
        expect(reader.array()).toBe(fields.length);
        for (const each of fields) {
          if (typeof each === 'number') expect(reader.uint()).toBe(each);
          else if (typeof each === 'string') expect(reader.string(1000)).toBe(each);
          else {
            reader.bytesField();
            const { bytes, fieldAt, fieldLength } = reader;
            expect(bytes.slice(fieldAt, fieldAt + fieldLength)).toEqual(each);
          }
        }
        expect(reader.atEnd).toBe(true);
      }),
    );
  });
});
