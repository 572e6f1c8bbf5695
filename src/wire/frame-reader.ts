/* Reads frames out of one WebSocket message: a cursor over its bytes that takes what a frame is
 * made of, one element after the other, without making an object per element. What has no place on
 * a hot path (options, arguments, results) is first measured, so that neither depth nor a declared
 * length can cost more than the bytes that are there, and then given to @msgpack/msgpack.
 *
 * Throws `ProtocolViolation` on anything else. Pure; loads in a browser. */

import { Decoder } from '@msgpack/msgpack';
import { CLOSE, COLD_FRAME_BYTES_MAX, malformed, NESTING_MAX, ProtocolViolation } from './frame.ts';

const NIL = 0xc0;
const FIXINT_MAX = 0x7f;
const TWO_TO_32 = 0x1_0000_0000;

const text = new TextDecoder('utf-8', { fatal: true });
const library = new Decoder();

export class FrameReader {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** Where the next element is. */
  at = 0;
  /** What `bytesField` found last. */
  fieldAt = 0;
  fieldLength = 0;

  /** Turns to the first frame of a message. */
  open(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = 0;
  }

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  #need(count: number): number {
    const at = this.at;
    if (at + count > this.bytes.length) throw malformed('A frame is cut off.');
    this.at = at + count;
    return at;
  }

  /** The number of elements of the array that begins here. */
  array(): number {
    const head = this.bytes[this.#need(1)]!;
    if ((head & 0xf0) === 0x90) return head & 0x0f;
    if (head === 0xdc) return this.view.getUint16(this.#need(2));
    throw malformed('A frame is an array of at most 65,535 elements.');
  }

  /** A whole number from 0 to 2^53 - 1, in any of the widths of a msgpack uint. */
  uint(): number {
    const head = this.bytes[this.#need(1)]!;
    if (head <= FIXINT_MAX) return head;
    if (head === 0xcc) return this.bytes[this.#need(1)]!;
    if (head === 0xcd) return this.view.getUint16(this.#need(2));
    if (head === 0xce) return this.view.getUint32(this.#need(4));
    if (head === 0xcf) {
      const at = this.#need(8);
      const value = this.view.getUint32(at) * TWO_TO_32 + this.view.getUint32(at + 4);
      if (value <= Number.MAX_SAFE_INTEGER) return value;
    }
    throw malformed('A whole number from 0 to 2^53 - 1 was expected.');
  }

  /** The same, or undefined for nil. */
  uintOrNil(): number | undefined {
    if (!this.nil()) return this.uint();
    return undefined;
  }

  /** Steps over nil; false when something else is here. */
  nil(): boolean {
    if (this.bytes[this.at] !== NIL) return false;
    this.at++;
    return true;
  }

  /** Steps over a bin; `fieldAt` and `fieldLength` say where its bytes are. */
  bytesField(): void {
    const head = this.bytes[this.#need(1)]!;
    let length: number;
    if (head === 0xc4) length = this.bytes[this.#need(1)]!;
    else if (head === 0xc5) length = this.view.getUint16(this.#need(2));
    else if (head === 0xc6) length = this.view.getUint32(this.#need(4));
    else throw malformed('A bin was expected.');
    this.fieldAt = this.#need(length);
    this.fieldLength = length;
  }

  /** A str of at most `charsMax` characters. */
  string(charsMax: number): string {
    const head = this.bytes[this.#need(1)]!;
    let length: number;
    if ((head & 0xe0) === 0xa0) length = head & 0x1f;
    else if (head === 0xd9) length = this.bytes[this.#need(1)]!;
    else if (head === 0xda) length = this.view.getUint16(this.#need(2));
    else if (head === 0xdb) length = this.view.getUint32(this.#need(4));
    else throw malformed('A str was expected.');
    if (length > charsMax * 3) throw malformed(`A str has more than ${charsMax} characters.`);
    const at = this.#need(length);
    let value: string;
    try {
      value = text.decode(this.bytes.subarray(at, at + length));
    } catch (cause) {
      throw malformed(`A str is not UTF-8: ${(cause as Error).message}`);
    }
    if (value.length > charsMax) throw malformed(`A str has more than ${charsMax} characters.`);
    return value;
  }

  /** Any value, of bounded size and depth. */
  value(): unknown {
    const from = this.at;
    this.#skip(from);
    const slice = this.bytes.subarray(from, this.at);
    if (slice.length > COLD_FRAME_BYTES_MAX) throw tooLarge();
    try {
      return library.decode(slice);
    } catch (cause) {
      throw malformed(`An element is no msgpack: ${(cause as Error).message}`);
    }
  }

  /** Steps over one value without looking into it. */
  #skip(from: number): void {
    /** Values that are still to come, per open array or map. */
    const open = [1];
    while (open.length > 0) {
      if (open[open.length - 1] === 0) {
        open.pop();
        continue;
      }
      open[open.length - 1]!--;
      const children = this.#skipHead();
      if (children === 0) continue;
      // Each child takes a byte at least: a count beyond them is a lie.
      if (children > this.bytes.length - this.at) throw malformed('A frame is cut off.');
      if (open.length > NESTING_MAX) throw malformed('Arrays or maps are nested too deep.');
      if (this.at - from > COLD_FRAME_BYTES_MAX) throw tooLarge();
      open.push(children);
    }
  }

  /** Steps over a value's head and its own bytes; returns how many values follow inside of it. */
  #skipHead(): number {
    const head = this.bytes[this.#need(1)]!;
    if (head <= FIXINT_MAX || head >= 0xe0) return 0;
    if (head <= 0x8f) return (head & 0x0f) * 2;
    if (head <= 0x9f) return head & 0x0f;
    if (head <= 0xbf) return this.#skipBytes(head & 0x1f);
    const shape = SHAPES[head - 0xc0];
    if (shape === undefined) throw malformed('A byte begins no msgpack value.');
    const [lengthBytes, fixedBytes, childrenPer] = shape;
    if (lengthBytes === 0) return this.#skipBytes(fixedBytes);
    const at = this.#need(lengthBytes);
    const length =
      lengthBytes === 1
        ? this.bytes[at]!
        : lengthBytes === 2
          ? this.view.getUint16(at)
          : this.view.getUint32(at);
    return childrenPer > 0 ? length * childrenPer : this.#skipBytes(fixedBytes + length);
  }

  #skipBytes(count: number): 0 {
    this.#need(count);
    return 0;
  }
}

function tooLarge(): ProtocolViolation {
  const reason = `An element has more than ${COLD_FRAME_BYTES_MAX} bytes.`;
  return new ProtocolViolation(CLOSE.TOO_LARGE, reason);
}

/** By head from 0xc0: bytes of its length field, bytes besides, and children per unit of length. */
const SHAPES: readonly (readonly [number, number, number] | undefined)[] = [
  [0, 0, 0], // nil
  undefined, // never used
  [0, 0, 0], // false
  [0, 0, 0], // true
  [1, 0, 0], // bin
  [2, 0, 0],
  [4, 0, 0],
  [1, 1, 0], // ext
  [2, 1, 0],
  [4, 1, 0],
  [0, 4, 0], // float
  [0, 8, 0],
  [0, 1, 0], // uint
  [0, 2, 0],
  [0, 4, 0],
  [0, 8, 0],
  [0, 1, 0], // int
  [0, 2, 0],
  [0, 4, 0],
  [0, 8, 0],
  [0, 2, 0], // fixext
  [0, 3, 0],
  [0, 5, 0],
  [0, 9, 0],
  [0, 17, 0],
  [1, 0, 0], // str
  [2, 0, 0],
  [4, 0, 0],
  [2, 0, 1], // array
  [4, 0, 1],
  [2, 0, 2], // map
  [4, 0, 2],
];
