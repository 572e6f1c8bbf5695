/* Deduplication ids of the last five minutes, for all FIFO queues of a partition. Owned by the
 * partition's thread.
 *
 * Entries lie in a circular array in the order in which they came, which is the order in which they
 * end. A hash table finds them by the 128-bit hash of queue, scope and id: such a hash stands for
 * the id itself.
 *
 *   i32  0 .. 3 key    4 .. 7 message id    12 region of the log that holds the message
 *   f64  4 sequence    5 ends at
 */

import { DEDUPLICATION_WINDOW_MS } from '../base/limits.ts';
import { DEDUP_ENTRY_BYTES } from './event-record.ts';

const DEDUP_WORDS = 16;
const DOUBLES = 8;
const ID_WORD = 4;
const SEQUENCE = 4;
const ENDS_AT = 5;
const REGION_WORD = 12;

const CAPACITY_AT_FIRST = 256;
/** Hash slots per entry of the array. */
const SPREAD = 4;
export const NOT_FOUND = -1;

export class DedupWindow {
  #words = new Int32Array(CAPACITY_AT_FIRST * DEDUP_WORDS);
  #doubles = new Float64Array(this.#words.buffer);
  #bytes = Buffer.from(this.#words.buffer);
  /** Positions only grow; their low bits are the index. */
  #first = 0;
  #end = 0;
  /** Index of an entry plus one; 0: empty. Linear probing. */
  #table = new Int32Array(CAPACITY_AT_FIRST * SPREAD);

  get size(): number {
    return this.#end - this.#first;
  }

  get #mask(): number {
    return this.#words.length / DEDUP_WORDS - 1;
  }

  /** The entry with that key, or NOT_FOUND. */
  find(a: number, b: number, c: number, d: number): number {
    const table = this.#table;
    const words = this.#words;
    const mask = table.length - 1;
    for (let at = a & mask; ; at = (at + 1) & mask) {
      const index = table[at]! - 1;
      if (index < 0) return NOT_FOUND;
      const row = index * DEDUP_WORDS;
      if (
        words[row] === a &&
        words[row + 1] === b &&
        words[row + 2] === c &&
        words[row + 3] === d
      ) {
        return index;
      }
    }
  }

  /** Adds an entry, or takes the place of the one with the same key: it has ended, or the log tells
   *  of it twice. */
  add(
    a: number,
    b: number,
    c: number,
    d: number,
    id: Uint8Array,
    idAt: number,
    sequence: number,
    sentAt: number,
    region: number,
  ): void {
    const known = this.find(a, b, c, d);
    if (known === NOT_FOUND && this.size > this.#mask) this.#grow();
    const index = known === NOT_FOUND ? this.#end++ & this.#mask : known;
    const words = this.#words;
    const row = index * DEDUP_WORDS;
    words[row] = a;
    words[row + 1] = b;
    words[row + 2] = c;
    words[row + 3] = d;
    const to = (row + ID_WORD) * 4;
    for (let i = 0; i < 16; i++) this.#bytes[to + i] = id[idAt + i]!;
    this.#doubles[index * DOUBLES + SEQUENCE] = sequence;
    this.#doubles[index * DOUBLES + ENDS_AT] = sentAt + DEDUPLICATION_WINDOW_MS;
    words[row + REGION_WORD] = region;
    if (known === NOT_FOUND) this.#link(index);
  }

  #link(index: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let at = this.#words[index * DEDUP_WORDS]! & mask;
    while (table[at] !== 0) at = (at + 1) & mask;
    table[at] = index + 1;
  }

  #grow(): void {
    const old = this.#words;
    const oldMask = this.#mask;
    const count = this.size;
    this.#words = new Int32Array(old.length * 2);
    this.#doubles = new Float64Array(this.#words.buffer);
    this.#bytes = Buffer.from(this.#words.buffer);
    this.#table = new Int32Array(this.#table.length * 2);
    for (let i = 0; i < count; i++) {
      const from = ((this.#first + i) & oldMask) * DEDUP_WORDS;
      this.#words.set(old.subarray(from, from + DEDUP_WORDS), i * DEDUP_WORDS);
    }
    this.#first = 0;
    this.#end = count;
    for (let i = 0; i < count; i++) this.#link(i);
  }

  sequence(index: number): number {
    return this.#doubles[index * DOUBLES + SEQUENCE]!;
  }

  copyMessageId(index: number, target: Buffer, at: number): void {
    const from = (index * DEDUP_WORDS + ID_WORD) * 4;
    this.#bytes.copy(target, at, from, from + 16);
  }

  /** Forgets what has ended by `now`, at most `max` entries. */
  expire(now: number, max: number): void {
    for (let left = max; left > 0 && this.size > 0; left--) {
      const index = this.#first & this.#mask;
      if (this.#doubles[index * DOUBLES + ENDS_AT]! > now) return;
      this.#unlink(index);
      this.#first++;
    }
  }

  /** True when the entry has ended, though it is still there. */
  ended(index: number, now: number): boolean {
    return this.#doubles[index * DOUBLES + ENDS_AT]! <= now;
  }

  #unlink(index: number): void {
    const table = this.#table;
    const words = this.#words;
    const mask = table.length - 1;
    let hole = words[index * DEDUP_WORDS]! & mask;
    while (table[hole] !== index + 1) hole = (hole + 1) & mask;
    // Moves back what was pushed past the hole, so that no probe ends too early.
    for (let at = (hole + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = words[(table[at]! - 1) * DEDUP_WORDS]! & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table[hole] = table[at]!;
      hole = at;
    }
    table[hole] = 0;
  }

  /** Calls `visit` with each entry that lies in a region up to `region`; those are the oldest. */
  forEachUpTo(region: number, visit: (index: number) => void): void {
    for (let position = this.#first; position < this.#end; position++) {
      const index = position & this.#mask;
      if (this.#words[index * DEDUP_WORDS + REGION_WORD]! <= region) visit(index);
    }
  }

  setRegion(index: number, region: number): void {
    this.#words[index * DEDUP_WORDS + REGION_WORD] = region;
  }

  /** Writes an entry as its log record has it: all but the region. */
  encode(index: number, target: Buffer, at: number): void {
    const from = index * DEDUP_WORDS * 4;
    this.#bytes.copy(target, at, from, from + DEDUP_ENTRY_BYTES);
  }

  /** Adds the entry that `encode` wrote. */
  decodeInto(source: Buffer, view: DataView, at: number, region: number): void {
    const endsAt = view.getFloat64(at + ENDS_AT * 8, true);
    this.add(
      view.getInt32(at, true),
      view.getInt32(at + 4, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
      source,
      at + ID_WORD * 4,
      view.getFloat64(at + SEQUENCE * 8, true),
      endsAt - DEDUPLICATION_WINDOW_MS,
      region,
    );
  }
}
