import { describe, expect, it } from 'vitest';
import { SipHash } from '../../../src/base/siphash.ts';

/** SipHash-2-4, 64-bit tag, key 00 01 .. 0f; entry n is the tag of the message 00 01 .. 15+n. The
 *  vectors of the reference implementation; OpenSSL's agrees. */
const VECTORS = [
  'db9bc2577fcc2a3f',
  '9447be2cf5e99a69',
  '9cd38d96f0b3c14b',
  'bd6179a71dc96dbb',
  '98eea21af25cd6be',
  'c7673b2eb0cbf2d0',
  '883ea3e395675393',
  'c8ce5ccd8c030ca8',
];
const SHORTEST = 16;

function tag(key: Uint8Array, message: Uint8Array): string {
  const hash = new SipHash(key);
  const padded = Buffer.alloc(24);
  padded.set(message);
  padded[23] = message.length;
  const half = (index: number) => padded.readInt32LE(index * 4);
  hash.digest(half(0), half(1), half(2), half(3), half(4), half(5));
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(hash.tagLow, 0);
  bytes.writeInt32LE(hash.tagHigh, 4);
  return bytes.toString('hex');
}

function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index);
}

describe('SipHash-2-4', () => {
  it('gives the tags of the reference implementation for messages of 16 to 23 bytes', () => {
    const key = counting(16);
    const tags = VECTORS.map((_, n) => tag(key, counting(SHORTEST + n)));
    expect(tags).toEqual(VECTORS);
  });

  it('gives another tag under another key', () => {
    const message = counting(19);
    const tags = new Set(
      Array.from({ length: 16 }, (_, index) => {
        const key = counting(16);
        key[index]! ^= 0x80;
        return tag(key, message);
      }),
    );
    expect(tags.size).toBe(16);
    expect(tags.has(VECTORS[19 - SHORTEST]!)).toBe(false);
  });

  it('refuses a key of another length', () => {
    expect(() => new SipHash(counting(15))).toThrow(/16 bytes/);
  });
});
