/* SipHash-2-4 with a tag of 64 bits: a MAC for short messages, in 32-bit arithmetic, because 64-bit
 * integers of JavaScript allocate. Pure; any thread.
 *
 * Words are pairs of 32 bits, the low half first, as they lie in memory on a little-endian machine.
 * Defined by Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. */

import { assert } from './assert.ts';

export const SIPHASH_KEY_BYTES = 16;

const COMPRESSION_ROUNDS = 2;
const FINALIZATION_ROUNDS = 4;

export class SipHash {
  /** The halves of the last tag, i32. */
  tagLow = 0;
  tagHigh = 0;
  readonly #key0Low: number;
  readonly #key0High: number;
  readonly #key1Low: number;
  readonly #key1High: number;

  constructor(key: Uint8Array) {
    assert(key.length === SIPHASH_KEY_BYTES, 'a SipHash key has 16 bytes');
    const view = new DataView(key.buffer, key.byteOffset, key.length);
    this.#key0Low = view.getInt32(0, true);
    this.#key0High = view.getInt32(4, true);
    this.#key1Low = view.getInt32(8, true);
    this.#key1High = view.getInt32(12, true);
  }

  /** Computes the tag of the message that `padWords` has made `words` of. */
  digest(words: Int32Array): void {
    let v0l = this.#key0Low ^ 0x70736575;
    let v0h = this.#key0High ^ 0x736f6d65;
    let v1l = this.#key1Low ^ 0x6e646f6d;
    let v1h = this.#key1High ^ 0x646f7261;
    let v2l = this.#key0Low ^ 0x6e657261;
    let v2h = this.#key0High ^ 0x6c796765;
    let v3l = this.#key1Low ^ 0x79746573;
    let v3h = this.#key1High ^ 0x74656462;
    const end = words.length;
    // The pass at `end` is the finalization.
    for (let at = 0; at <= end; at += 2) {
      const message = at < end;
      const low = message ? words[at]! : 0;
      const high = message ? words[at + 1]! : 0;
      if (!message) v2l ^= 0xff;
      v3l ^= low;
      v3h ^= high;
      for (let round = message ? COMPRESSION_ROUNDS : FINALIZATION_ROUNDS; round > 0; round--) {
        // The carry of a sum is read off its bits: a comparison would be a branch, mispredicted
        // half of the time.
        let sum = (v0l + v1l) | 0;
        v0h = (v0h + v1h + (((v0l & v1l) | ((v0l | v1l) & ~sum)) >>> 31)) | 0;
        v0l = sum;
        let turned = (v1l << 13) | (v1h >>> 19);
        v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
        v1l = turned ^ v0l;
        turned = v0l; // A turn by 32 swaps the halves.
        v0l = v0h;
        v0h = turned;

        sum = (v2l + v3l) | 0;
        v2h = (v2h + v3h + (((v2l & v3l) | ((v2l | v3l) & ~sum)) >>> 31)) | 0;
        v2l = sum;
        turned = (v3l << 16) | (v3h >>> 16);
        v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
        v3l = turned ^ v2l;

        sum = (v0l + v3l) | 0;
        v0h = (v0h + v3h + (((v0l & v3l) | ((v0l | v3l) & ~sum)) >>> 31)) | 0;
        v0l = sum;
        turned = (v3l << 21) | (v3h >>> 11);
        v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
        v3l = turned ^ v0l;

        sum = (v2l + v1l) | 0;
        v2h = (v2h + v1h + (((v2l & v1l) | ((v2l | v1l) & ~sum)) >>> 31)) | 0;
        v2l = sum;
        turned = (v1l << 17) | (v1h >>> 15);
        v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
        v1l = turned ^ v2l;
        turned = v2l;
        v2l = v2h;
        v2h = turned;
      }
      v0l ^= low;
      v0h ^= high;
    }
    this.tagLow = v0l ^ v1l ^ v2l ^ v3l;
    this.tagHigh = v0h ^ v1h ^ v2h ^ v3h;
  }
}

/** A message as `digest` takes it: its bytes, zeros, and its length modulo 256 in the last byte. */
export function padWords(message: Uint8Array): Int32Array {
  const bytes = new Uint8Array((Math.floor(message.length / 8) + 1) * 8);
  bytes.set(message);
  bytes[bytes.length - 1] = message.length;
  return new Int32Array(bytes.buffer);
}
