/* Bytes by Node's own primitives. Reading text with `toString` and its checks costs twice as much
 * on short strings. */

declare global {
  interface Buffer {
    utf8Slice(start: number, end: number): string;
    latin1Slice(start: number, end: number): string;
    utf8Write(text: string, at: number): number;
  }
}

/** The UTF-8 text of `buffer` from `start` up to `end`, which both lie inside it. */
export function utf8Text(buffer: Buffer, start: number, end: number): string {
  return buffer.utf8Slice(start, end);
}

/** The same for text that is known to be ASCII. */
export function asciiText(buffer: Buffer, start: number, end: number): string {
  return buffer.latin1Slice(start, end);
}

/** From here on `fill` is faster than `copy`, which costs less to call. */
const FILL_BYTES_MIN = 512;

/** Copies the bytes of `source` from `start` up to `end` to `at` in `target`; other memory than
 *  where they are. Where either is shared between threads, the copies of JavaScript go byte by byte
 *  unless both places are aligned alike: 10 to 20 us for 30 KB, of which `fill`, a memcpy, takes
 *  one. No other thread may be at these bytes, then or before it was told. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  const { copy, fill } = Buffer.prototype;
  if (end - start < FILL_BYTES_MIN) copy.call(source, target, at, start, end);
  else fill.call(target, source.subarray(start, end), at, at + end - start);
}
