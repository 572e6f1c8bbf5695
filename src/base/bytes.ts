/* Reading text out of bytes, by Node's own primitives: `toString` with its checks costs twice as
 * much on short strings. */

declare global {
  interface Buffer {
    utf8Slice(start: number, end: number): string;
    latin1Slice(start: number, end: number): string;
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
