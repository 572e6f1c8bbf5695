/* Finds the bytes at which a JSON text cannot simply go on: by words of four bytes, which takes a
 * third of the time that it takes byte by byte. */

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const SPACE = 0x20;
/** First of the three bytes of U+F000 to U+FFFF, of which SQS refuses the last two. */
export const LEAD_OF_REFUSED = 0xef;

/** Not 0: a byte at which the search stops. */
export const STOPS = new Uint8Array(256);
STOPS.fill(1, 0, SPACE);
for (const byte of [QUOTE, BACKSLASH, LEAD_OF_REFUSED]) STOPS[byte] = 1;

const WORD_BYTES = 4;
// A byte's value in each of a word's four.
const ONES = 0x01010101;
const SPACES = ONES * SPACE;
const QUOTES = ONES * QUOTE;
const BACKSLASHES = ONES * BACKSLASH;
const HIGHS = 0x80808080 | 0;

/** The place, from `from` on, of the first byte at which a text stops: a quote, a backslash, a
 *  control character, LEAD_OF_REFUSED; where there is none, the length of `bytes`.
 *  @param words the same memory as `bytes`, from its start. */
export function stopFrom(bytes: Uint8Array, words: Int32Array, from: number): number {
  let place = from;
  while ((place & (WORD_BYTES - 1)) !== 0 && place < bytes.length) {
    if (STOPS[bytes[place]!] !== 0) return place;
    place++;
  }
  const end = bytes.length & -WORD_BYTES;
  while (place < end) {
    // Finds every word that has one, and some that do not: borrows run upwards, from a byte that
    // is one, and what is not ASCII is looked at byte by byte.
    let found: number;
    do {
      const word = words[place >> 2]!;
      const quote = word ^ QUOTES;
      const backslash = word ^ BACKSLASHES;
      found =
        ((quote - ONES) & ~quote) |
        ((backslash - ONES) & ~backslash) |
        ((word - SPACES) & ~word) |
        word;
      place += WORD_BYTES;
    } while ((found & HIGHS) === 0 && place < end);
    for (let i = place - WORD_BYTES; i < place; i++) if (STOPS[bytes[i]!] !== 0) return i;
  }
  while (place < bytes.length && STOPS[bytes[place]!] === 0) place++;
  return place;
}
