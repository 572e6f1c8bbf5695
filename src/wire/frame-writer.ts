/* Writes frames one after the other into one growing buffer, which then leaves as one WebSocket
 * message. Numbers and heads are written by hand, in the fewest bytes; values of any shape go
 * through @msgpack/msgpack. Pure; loads in a browser. */

import { Encoder } from '@msgpack/msgpack';
import { NESTING_MAX } from './frame.ts';

const TWO_TO_32 = 0x1_0000_0000;
/** Head of a bin of any length, as `bytesHead` writes it. */
const BYTES_HEAD_MAX = 5;

const library = new Encoder({ maxDepth: NESTING_MAX, ignoreUndefined: false });
const text = new TextEncoder();

export class FrameWriter {
  buffer: Uint8Array<ArrayBuffer>;
  view: DataView;
  /** Bytes written so far. */
  length = 0;

  constructor(bytes: number) {
    this.buffer = new Uint8Array(bytes);
    this.view = new DataView(this.buffer.buffer);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
    this.view = new DataView(grown.buffer);
  }

  /** What was written; lent until the next write. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length);
  }

  /** Begins an array of up to 15 elements. */
  array(count: number): void {
    this.reserve(1);
    this.buffer[this.length++] = 0x90 | count;
  }

  /** A whole number from 0 to 2^53 - 1. */
  uint(value: number): void {
    this.reserve(9);
    if (value < 0x80) {
      this.buffer[this.length++] = value;
    } else if (value < 0x1_0000) {
      this.buffer[this.length] = 0xcd;
      this.view.setUint16(this.length + 1, value);
      this.length += 3;
    } else if (value < TWO_TO_32) {
      this.buffer[this.length] = 0xce;
      this.view.setUint32(this.length + 1, value);
      this.length += 5;
    } else {
      this.buffer[this.length] = 0xcf;
      this.view.setUint32(this.length + 1, Math.floor(value / TWO_TO_32));
      this.view.setUint32(this.length + 5, value % TWO_TO_32);
      this.length += 9;
    }
  }

  uintOrNil(value: number | undefined): void {
    if (value === undefined) this.nil();
    else this.uint(value);
  }

  nil(): void {
    this.reserve(1);
    this.buffer[this.length++] = 0xc0;
  }

  /** The head of a bin of `count` bytes, with room for them; the caller writes them next. */
  bytesHead(count: number): void {
    this.reserve(BYTES_HEAD_MAX + count);
    this.buffer[this.length] = 0xc6;
    this.view.setUint32(this.length + 1, count);
    this.length += BYTES_HEAD_MAX;
  }

  bytes(value: Uint8Array): void {
    this.bytesHead(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  string(value: string): void {
    this.reserve(5 + value.length * 3);
    const { written } = text.encodeInto(value, this.buffer.subarray(this.length + 5));
    this.buffer[this.length] = 0xdb;
    this.view.setUint32(this.length + 1, written);
    this.length += 5 + written;
  }

  /** Bytes that are whole frames, or the inside of a bin. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Anything that msgpack can say; undefined becomes nil. */
  value(value: unknown): void {
    this.raw(library.encodeSharedRef(value));
  }
}
