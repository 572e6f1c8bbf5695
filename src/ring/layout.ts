/* Offsets in a ring's shared memory; LAYOUT.md draws them. No behaviour. */

import { assert } from '../base/assert.ts';

/** The sign that the rest of the ring up to its end holds no frame. */
export const PADDING = -1;

export const FRAME_HEADER_BYTES = 4;
/** Frames begin at multiples of this. */
export const FRAME_ALIGNMENT = 8;

/** Stored by one side each, so each has two cache lines for itself: adjacent lines are prefetched
 *  in pairs. */
const CACHE_LINES_BYTES = 128;

// Words of the trailer, as indexes of an Int32Array that begins behind the data.
const WORDS_PER_LINES = CACHE_LINES_BYTES / Int32Array.BYTES_PER_ELEMENT;
export const TAIL_WORD = 0;
export const HEAD_WORD = WORDS_PER_LINES;
export const SPACE_WANTED_WORD = 2 * WORDS_PER_LINES;
export const TRAILER_BYTES = 3 * CACHE_LINES_BYTES;

/** The bytes that a frame of `length` takes up, its header and alignment included. */
export function frameSpan(length: number): number {
  return (FRAME_HEADER_BYTES + length + FRAME_ALIGNMENT - 1) & -FRAME_ALIGNMENT;
}

/** The memory of one ring with room for `capacity` bytes, a power of two. */
export function allocateRing(capacity: number): SharedArrayBuffer {
  assert((capacity & (capacity - 1)) === 0 && capacity >= 64, 'a ring holds a power of two bytes');
  assert(capacity <= 2 ** 30, 'positions of a ring are compared as i32');
  return new SharedArrayBuffer(capacity + TRAILER_BYTES);
}
