/* Every message of a partition, one row of 64 bytes each in one typed array: a message is one cache
 * line, and nothing of it is the garbage collector's business. Owned by the partition's thread.
 *
 *   f64  0 position        of the entry in the log
 *        1 sequence        unique in the partition; grows
 *        2 sent at         ms since the epoch
 *   i32  6 entry bytes     length of the entry at `position`
 *        7 queue           index of the queue in its state
 *        8 next, 9 previous   in the one list that the message is in; 0: none
 *       10 heap index      in the heap of deadlines; 0: it has none
 *       11 receive count   also the number of the latest delivery
 *       12 first received  ms after sent at, plus one; 0: never received
 *       13 group           index of the message's group
 *       14 source          id of the queue it was dead-lettered from; 0: none; in transit, of the
 *                         queue that it goes to
 *       15 state           low 3 bits; above them: seconds from the first receive to the latest
 *
 * Slot 0 is never a message, so that zeros mean "none" everywhere. */

import { assert } from '../base/assert.ts';

export const ROW_WORDS = 16;
export const ROW_DOUBLES = 8;

export const POSITION = 0;
export const SEQUENCE = 1;
export const SENT_AT = 2;
export const ENTRY_BYTES = 6;
export const QUEUE = 7;
export const NEXT = 8;
export const PREVIOUS = 9;
export const HEAP_INDEX = 10;
export const RECEIVE_COUNT = 11;
export const FIRST_RECEIVED = 12;
export const GROUP = 13;
export const SOURCE = 14;
const STATE = 15;

export const FREE = 0;
/** In its group's list, to be received. */
export const READY = 1;
/** Not yet to be received. On a FIFO queue it is in its group's list and holds its place. */
export const DELAYED = 2;
export const IN_FLIGHT = 3;
/** Its visibility ran out, and its queue makes it wait before the next try. */
export const HELD = 4;

const STATE_MASK = 7;
const STATE_BITS = 3;

/** Untouched memory of so large an array costs nothing; growing it costs a copy. */
const ROWS_AT_FIRST = 2 ** 18;
const GROWTH = 4;
/** Slots are u32 in receipts and i32 in lists. */
const ROWS_MAX = 2 ** 26;

export class MessageTable {
  words: Int32Array;
  doubles: Float64Array;
  /** Messages held. */
  count = 0;
  #rows: number;
  #freeHead = 0;
  /** No slot from here on has ever been used. */
  #end = 1;

  /** @param rows for so many messages; more when they come. */
  constructor(rows = 0, rowsAtFirst = ROWS_AT_FIRST) {
    this.#rows = rowsAtFirst;
    while (this.#rows < Math.min(rows, ROWS_MAX)) this.#rows *= GROWTH;
    const memory = new ArrayBuffer(this.#rows * ROW_WORDS * 4);
    this.words = new Int32Array(memory);
    this.doubles = new Float64Array(memory);
  }

  /** How many more messages there is a slot for. */
  get room(): number {
    return ROWS_MAX - 1 - this.count;
  }

  /** No slot from this one on is in use. */
  get endSlot(): number {
    return this.#end;
  }

  #reserve(rows: number): void {
    if (rows <= this.#rows) return;
    let grown = this.#rows;
    while (grown < rows) grown *= GROWTH;
    assert(rows <= ROWS_MAX, 'a partition holds no more messages than it has slots');
    const memory = new ArrayBuffer(grown * ROW_WORDS * 4);
    const words = new Int32Array(memory);
    words.set(this.words.subarray(0, this.#end * ROW_WORDS));
    this.words = words;
    this.doubles = new Float64Array(memory);
    this.#rows = grown;
  }

  /** Takes a free slot. */
  allocate(): number {
    this.count++;
    const slot = this.#freeHead;
    if (slot !== 0) {
      this.#freeHead = this.words[slot * ROW_WORDS + NEXT]!;
      return slot;
    }
    this.#reserve(this.#end + 1);
    return this.#end++;
  }

  /** Takes the slot that the log names. Until `freeListLost` is mended, nothing may be
   *  allocated. */
  place(slot: number): void {
    assert(slot > 0 && slot < ROWS_MAX, 'a slot in the log is a slot');
    this.#reserve(slot + 1);
    assert(this.state(slot) === FREE, 'a slot that is taken was free');
    if (slot >= this.#end) this.#end = slot + 1;
    this.count++;
  }

  free(slot: number): void {
    const row = slot * ROW_WORDS;
    this.words[row + STATE] = FREE;
    this.words[row + NEXT] = this.#freeHead;
    this.#freeHead = slot;
    this.count--;
  }

  /** Finds the free slots anew, after a replay that placed messages where they were. The lowest are
   *  given out first. */
  rebuildFreeList(): void {
    this.#freeHead = 0;
    if (this.count === this.#end - 1) return;
    const { words } = this;
    for (let slot = this.#end - 1; slot > 0; slot--) {
      const row = slot * ROW_WORDS;
      if (words[row + STATE] !== FREE) continue;
      words[row + NEXT] = this.#freeHead;
      this.#freeHead = slot;
    }
  }

  state(slot: number): number {
    return this.words[slot * ROW_WORDS + STATE]! & STATE_MASK;
  }

  setState(slot: number, state: number): void {
    const at = slot * ROW_WORDS + STATE;
    this.words[at] = (this.words[at]! & ~STATE_MASK) | state;
  }

  /** The message behind it in the list that it is in; 0: it is the last. */
  next(slot: number): number {
    return this.words[slot * ROW_WORDS + NEXT]!;
  }

  /** True when `slot` holds the message whose sequence ends in `sequenceLow`. */
  holds(slot: number, sequenceLow: number): boolean {
    if (slot >= this.#end) return false;
    if ((this.words[slot * ROW_WORDS + STATE]! & STATE_MASK) === FREE) return false;
    return this.doubles[slot * ROW_DOUBLES + SEQUENCE]! >>> 0 === sequenceLow;
  }

  /** Fills the row of a message that was never received. */
  fill(
    slot: number,
    position: number,
    sequence: number,
    sentAt: number,
    entryBytes: number,
    queue: number,
    group: number,
    state: number,
  ): void {
    const { words, doubles } = this;
    const row = slot * ROW_WORDS;
    const wide = slot * ROW_DOUBLES;
    doubles[wide + POSITION] = position;
    doubles[wide + SEQUENCE] = sequence;
    doubles[wide + SENT_AT] = sentAt;
    words[row + ENTRY_BYTES] = entryBytes;
    words[row + QUEUE] = queue;
    words[row + HEAP_INDEX] = 0;
    words[row + RECEIVE_COUNT] = 0;
    words[row + FIRST_RECEIVED] = 0;
    words[row + GROUP] = group;
    words[row + SOURCE] = 0;
    words[row + STATE] = state;
  }

  position(slot: number): number {
    return this.doubles[slot * ROW_DOUBLES + POSITION]!;
  }

  sequence(slot: number): number {
    return this.doubles[slot * ROW_DOUBLES + SEQUENCE]!;
  }

  sentAt(slot: number): number {
    return this.doubles[slot * ROW_DOUBLES + SENT_AT]!;
  }

  entryBytes(slot: number): number {
    return this.words[slot * ROW_WORDS + ENTRY_BYTES]!;
  }

  receiveCount(slot: number): number {
    return this.words[slot * ROW_WORDS + RECEIVE_COUNT]!;
  }

  /** The number of the latest delivery. */
  delivery(slot: number): number {
    return this.words[slot * ROW_WORDS + RECEIVE_COUNT]!;
  }

  source(slot: number): number {
    return this.words[slot * ROW_WORDS + SOURCE]! >>> 0;
  }

  /** 0: never received. */
  firstReceivedAt(slot: number): number {
    const after = this.words[slot * ROW_WORDS + FIRST_RECEIVED]!;
    return after === 0 ? 0 : this.sentAt(slot) + after - 1;
  }

  /** When the latest delivery was, to a second. */
  lastReceivedAt(slot: number): number {
    const seconds = this.words[slot * ROW_WORDS + STATE]! >>> STATE_BITS;
    return this.firstReceivedAt(slot) + seconds * 1000;
  }

  /** Counts a delivery at `now`; the message is in flight. */
  markReceived(slot: number, now: number): void {
    const { words } = this;
    const row = slot * ROW_WORDS;
    words[row + RECEIVE_COUNT]!++;
    const sinceSent = Math.max(0, now - this.doubles[slot * ROW_DOUBLES + SENT_AT]!);
    const first = words[row + FIRST_RECEIVED]!;
    if (first === 0) words[row + FIRST_RECEIVED] = sinceSent + 1;
    const seconds = first === 0 ? 0 : Math.max(0, Math.floor((sinceSent + 1 - first) / 1000));
    words[row + STATE] = (seconds << STATE_BITS) | IN_FLIGHT;
  }

  /** Takes over what a message had been through before it was copied within the log. */
  restore(
    slot: number,
    receiveCount: number,
    firstReceivedAt: number,
    lastReceivedAt: number,
    source: number,
  ): void {
    const row = slot * ROW_WORDS;
    this.words[row + RECEIVE_COUNT] = receiveCount;
    this.words[row + SOURCE] = source;
    if (firstReceivedAt === 0) return;
    this.words[row + FIRST_RECEIVED] = firstReceivedAt - this.sentAt(slot) + 1;
    const seconds = Math.floor((lastReceivedAt - firstReceivedAt) / 1000);
    this.words[row + STATE] = (seconds << STATE_BITS) | this.state(slot);
  }
}
