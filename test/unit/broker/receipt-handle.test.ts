import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RECEIPT_HANDLE_CHARS, ReceiptCodec } from '../../../src/broker/receipt-handle.ts';

const SECRET = Uint8Array.from({ length: 32 }, (_, index) => index);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const fields = fc.record({
  queueId: u32,
  partition: fc.integer({ min: 0, max: 0xffff }),
  slot: u32,
  sequence: fc.maxSafeInteger().map(Math.abs),
  delivery: fc.maxSafeInteger().map(Math.abs),
});

function low32(value: number): number {
  return value % 0x1_0000_0000;
}

describe('a receipt handle', () => {
  it('is what other implementations of its layout and MAC make', () => {
    const codec = new ReceiptCodec(SECRET);
    expect(codec.encode(77, 3, 123_456, 0x1_2345_6789, 4_000_000_000)).toBe(
      'AQADAAHiQCNFZ4nuaygAAAAATRNIwYLIuT8d',
    );
    expect(codec.encode(0xffff_ffff, 63, 0xffff_fffe, Number.MAX_SAFE_INTEGER, 0)).toBe(
      'AQA______v____8AAAAA_____xgPQnnjKxvS',
    );
  });

  it('gives back what it was made of, to a codec of the same secret', () => {
    const writer = new ReceiptCodec(SECRET);
    const reader = new ReceiptCodec(SECRET);
    fc.assert(
      fc.property(fields, ({ queueId, partition, slot, sequence, delivery }) => {
        const handle = writer.encode(queueId, partition, slot, sequence, delivery);
        expect(handle).toMatch(/^[A-Za-z0-9_-]{36}$/);
        expect(reader.decode(handle, queueId)).toBe(true);
        expect(reader).toMatchObject({
          partition,
          slot,
          sequenceLow: low32(sequence),
          delivery: low32(delivery),
        });
      }),
    );
  });

  it('is refused under another secret and on another queue', () => {
    const codec = new ReceiptCodec(SECRET);
    const other = new ReceiptCodec(SECRET.toReversed());
    fc.assert(
      fc.property(fields, u32, ({ queueId, partition, slot, sequence, delivery }, queue) => {
        const handle = codec.encode(queueId, partition, slot, sequence, delivery);
        expect(other.decode(handle, queueId)).toBe(false);
        expect(codec.decode(handle, queue)).toBe(queue === queueId);
      }),
    );
  });

  it('as bytes is sealed into what its text stands for, and opened again', () => {
    const codec = new ReceiptCodec(SECRET);
    const view = new DataView(new ArrayBuffer(40));
    fc.assert(
      fc.property(fields, u32, ({ queueId, partition, slot, sequence, delivery }, queue) => {
        view.setUint8(5, 1);
        view.setUint16(6, partition);
        view.setUint32(8, slot);
        view.setUint32(12, sequence);
        view.setUint32(16, delivery);
        view.setUint32(20, queueId);
        codec.seal(view, 5);
        const text = Buffer.from(view.buffer, 5, 27).toString('base64url');
        expect(text).toBe(codec.encode(queueId, partition, slot, sequence, delivery));
        expect(codec.open(view, 5, queue)).toBe(queue === queueId);
        expect(codec.open(view, 5, queueId)).toBe(true);
        expect(codec).toMatchObject({ partition, slot, delivery: low32(delivery) });
        for (let at = 5; at < 32; at++) {
          view.setUint8(at, view.getUint8(at) ^ 0x10);
          expect(codec.open(view, 5, queueId), `byte ${at}`).toBe(false);
          view.setUint8(at, view.getUint8(at) ^ 0x10);
        }
      }),
    );
  });

  it('is refused with any one bit changed', () => {
    const codec = new ReceiptCodec(SECRET);
    const bytes = Buffer.from(codec.encode(77, 3, 123_456, 1, 2), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Buffer.from(bytes);
      forged[bit >>> 3]! ^= 1 << (bit & 7);
      expect(codec.decode(forged.toString('base64url'), 77), `bit ${bit}`).toBe(false);
    }
  });

  it('of a later version is refused, also with a valid MAC', () => {
    const codec = new ReceiptCodec(SECRET);
    expect(codec.decode('AgADAAHiQCNFZ4nuaygAAAAATbEmuwrmK70z', 77)).toBe(false);
  });

  it('leaves the fields as they were when it is refused', () => {
    const codec = new ReceiptCodec(SECRET);
    codec.decode(codec.encode(77, 3, 123_456, 1, 2), 77);
    expect(codec.decode(codec.encode(78, 4, 5, 6, 7), 77)).toBe(false);
    expect(codec).toMatchObject({ partition: 3, slot: 123_456, sequenceLow: 1, delivery: 2 });
  });

  it('that is garbage of any kind is refused without an error', () => {
    const codec = new ReceiptCodec(SECRET);
    const sized = { minLength: RECEIPT_HANDLE_CHARS, maxLength: RECEIPT_HANDLE_CHARS };
    const garbage = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary', ...sized }),
      fc.string({ ...sized }),
      fc.stringMatching(/^[A-Za-z0-9_-]{36}$/),
    );
    fc.assert(fc.property(garbage, (text) => !codec.decode(text, 77)));
    const handle = codec.encode(77, 3, 123_456, 1, 2);
    const spoilt = [
      '',
      handle.slice(1),
      `${handle}=`,
      `${handle} `,
      handle.replace('A', '+'),
      handle.replace('A', 'Ł'), // U+0141: its low byte is an A.
      handle.replace('A', '\uD800'),
      'A'.repeat(10 * 1024 * 1024),
      '💥'.repeat(18),
    ];
    for (const text of spoilt) expect(codec.decode(text, 77)).toBe(false);
  });
});
