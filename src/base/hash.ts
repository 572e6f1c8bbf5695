/* MurmurHash3, x86, 128 bits: for tables whose keys are byte strings. Not a MAC: it stands against
 * chance, not against an enemy. Pure; one instance per thread. Defined by Austin Appleby's
 * reference implementation, which is in the public domain. */

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

export class Hash128 {
  /** The words of the last hash, i32. */
  a = 0;
  b = 0;
  c = 0;
  d = 0;

  /** Hashes `bytes` from `start` up to `end`. */
  digest(bytes: Uint8Array, start: number, end: number, seed: number): void {
    let h1 = seed;
    let h2 = seed;
    let h3 = seed;
    let h4 = seed;
    let at = start;
    for (; at + 16 <= end; at += 16) {
      h1 ^= mixWord(word(bytes, at), C1, 15, C2);
      h1 = (Math.imul(rotate(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
      h2 ^= mixWord(word(bytes, at + 4), C2, 16, C3);
      h2 = (Math.imul(rotate(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
      h3 ^= mixWord(word(bytes, at + 8), C3, 17, C4);
      h3 = (Math.imul(rotate(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
      h4 ^= mixWord(word(bytes, at + 12), C4, 18, C1);
      h4 = (Math.imul(rotate(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
    }
    if (end - at > 12) h4 ^= mixWord(tail(bytes, at + 12, end), C4, 18, C1);
    if (end - at > 8) h3 ^= mixWord(tail(bytes, at + 8, end), C3, 17, C4);
    if (end - at > 4) h2 ^= mixWord(tail(bytes, at + 4, end), C2, 16, C3);
    if (end - at > 0) h1 ^= mixWord(tail(bytes, at, end), C1, 15, C2);
    this.#finish(h1, h2, h3, h4, end - start);
  }

  #finish(e1: number, e2: number, e3: number, e4: number, length: number): void {
    let h2 = e2 ^ length;
    let h3 = e3 ^ length;
    let h4 = e4 ^ length;
    let h1 = ((e1 ^ length) + h2 + h3 + h4) | 0;
    h2 = avalanche((h2 + h1) | 0);
    h3 = avalanche((h3 + h1) | 0);
    h4 = avalanche((h4 + h1) | 0);
    h1 = avalanche(h1);
    h1 = (h1 + h2 + h3 + h4) | 0;
    this.a = h1;
    this.b = (h2 + h1) | 0;
    this.c = (h3 + h1) | 0;
    this.d = (h4 + h1) | 0;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function mixWord(value: number, before: number, bits: number, after: number): number {
  return Math.imul(rotate(Math.imul(value, before), bits), after);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The bytes that are left of the word at `at`, as a word. */
function tail(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = Math.min(at + 4, end) - 1; i >= at; i--) value = (value << 8) | bytes[i]!;
  return value;
}

function avalanche(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return h ^ (h >>> 16);
}
