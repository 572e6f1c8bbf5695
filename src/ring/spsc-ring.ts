/* A ring of byte frames with one producer thread and one consumer thread. LAYOUT.md draws it.
 *
 * Invariants: only the writer stores `tail`, only the reader stores `head`; storing `tail`
 * publishes every byte before it, nothing else does; a frame is contiguous. */

import { assert } from '../base/assert.ts';
import {
  FRAME_HEADER_BYTES,
  frameSpan,
  HEAD_WORD,
  PADDING,
  SPACE_WANTED_WORD,
  TAIL_WORD,
  TRAILER_BYTES,
} from './layout.ts';

/** What `claim` returns when the ring has no room: an expected outcome, not an error. */
export const INSUFFICIENT = -1;

abstract class RingEnd {
  readonly buffer: Buffer;
  readonly view: DataView;
  protected readonly capacity: number;
  protected readonly mask: number;
  protected readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.capacity = memory.byteLength - TRAILER_BYTES;
    this.mask = this.capacity - 1;
    this.buffer = Buffer.from(memory, 0, this.capacity);
    this.view = new DataView(memory, 0, this.capacity);
    this.words = new Int32Array(memory, this.capacity);
  }
}

/** The producer's end. */
export class RingWriter extends RingEnd {
  /** Position behind the last claimed frame; i32, wraps. */
  #tail: number;
  #publishedTail: number;
  /** A position that `head` had; it may have moved on. */
  #headCache: number;
  /** Position of the frame claimed last. */
  #claimedAt: number;

  /** Goes on where the writer before it ended: what that one had claimed and not published is
   *  gone. */
  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#tail = Atomics.load(this.words, TAIL_WORD);
    this.#publishedTail = this.#tail;
    this.#claimedAt = this.#tail;
    this.#headCache = Atomics.load(this.words, HEAD_WORD);
  }

  /** Claims a frame of `length` bytes (0 ..) and returns the offset of its payload in `buffer`, or
   *  INSUFFICIENT. The caller fills it before it is published. */
  claim(length: number): number {
    const span = frameSpan(length);
    const index = this.#tail & this.mask;
    const toEnd = this.capacity - index;
    const needed = span <= toEnd ? span : toEnd + span;
    if (needed > this.#free()) {
      this.#headCache = Atomics.load(this.words, HEAD_WORD);
      if (needed > this.#free()) return INSUFFICIENT;
    }
    let at = index;
    if (span > toEnd) {
      this.view.setInt32(index, PADDING, true);
      this.#tail = (this.#tail + toEnd) | 0;
      at = 0;
    }
    this.view.setInt32(at, length, true);
    this.#claimedAt = this.#tail;
    this.#tail = (this.#tail + span) | 0;
    return at + FRAME_HEADER_BYTES;
  }

  #free(): number {
    return this.capacity - ((this.#tail - this.#headCache) | 0);
  }

  /** Cuts the frame claimed last, and not yet published, to `length` bytes. */
  shrink(length: number): void {
    this.view.setInt32(this.#claimedAt & this.mask, length, true);
    this.#tail = (this.#claimedAt + frameSpan(length)) | 0;
  }

  /** The position behind the last claimed frame: what `publish` takes later. */
  get tail(): number {
    return this.#tail;
  }

  /** Makes the frames claimed before `tail` was `upTo` visible to the reader; all of them by
   *  default. True when there was one: ring its doorbell. */
  publish(upTo = this.#tail): boolean {
    if (upTo === this.#publishedTail) return false;
    this.#publishedTail = upTo;
    Atomics.store(this.words, TAIL_WORD, upTo);
    return true;
  }

  /** The longest frame that `claim` has room for now; negative when there is none at all. */
  get freeBytes(): number {
    this.#headCache = Atomics.load(this.words, HEAD_WORD);
    const free = this.#free();
    const toEnd = this.capacity - (this.#tail & this.mask);
    return (free <= toEnd ? free : Math.max(toEnd, free - toEnd)) - FRAME_HEADER_BYTES;
  }

  /** Has the reader's next `release` say that room is wanted. The caller tries once more after
   *  this: the reader may have made room before it could see the wish. */
  requestSpace(): void {
    Atomics.store(this.words, SPACE_WANTED_WORD, 1);
  }
}

/** The consumer's end. */
export class RingReader extends RingEnd {
  /** Of the payload that `next` found last. */
  offset = 0;
  length = 0;
  /** Position behind the frame found last; i32, wraps. */
  #position: number;
  /** Position of the frame found last. */
  #frameAt: number;
  #releasedHead: number;
  /** A position that `tail` had; it may have moved on. */
  #tailCache: number;

  /** Goes on where the reader before it ended: what that one had not released comes once more. */
  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#position = Atomics.load(this.words, HEAD_WORD);
    this.#frameAt = this.#position;
    this.#releasedHead = this.#position;
    this.#tailCache = this.#position;
  }

  /** Goes to the next frame; its bytes stay in place until `release`. False: there is none. */
  next(): boolean {
    if (this.#position === this.#tailCache) {
      // Sees every byte that the writer stored before it stored this tail.
      this.#tailCache = Atomics.load(this.words, TAIL_WORD);
      if (this.#position === this.#tailCache) return false;
    }
    let index = this.#position & this.mask;
    let length = this.view.getInt32(index, true);
    if (length === PADDING) {
      this.#position = (this.#position + this.capacity - index) | 0;
      index = 0;
      length = this.view.getInt32(0, true);
    }
    assert(length >= 0 && length < this.capacity, 'a frame has a length that fits its ring');
    this.#frameAt = this.#position;
    this.#position = (this.#position + frameSpan(length)) | 0;
    this.offset = index + FRAME_HEADER_BYTES;
    this.length = length;
    return true;
  }

  /** Steps back before the frame found last: `next` finds it again. Once per frame. */
  unread(): void {
    this.#position = this.#frameAt;
  }

  /** Gives the room of every frame found so far back. True: the writer waits for room, wake it. */
  release(): boolean {
    if (this.#position === this.#releasedHead) return false;
    this.#releasedHead = this.#position;
    Atomics.store(this.words, HEAD_WORD, this.#position);
    if (Atomics.load(this.words, SPACE_WANTED_WORD) === 0) return false;
    return Atomics.exchange(this.words, SPACE_WANTED_WORD, 0) === 1;
  }

  /** True when `next` would find nothing. */
  get empty(): boolean {
    return Atomics.load(this.words, TAIL_WORD) === this.#position;
  }
}
