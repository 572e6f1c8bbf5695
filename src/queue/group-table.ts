/* Groups of messages, one row of 64 bytes each: the messages of one queue with one MessageGroupId,
 * or those of a standard queue without one. A group keeps the list of its messages that wait; those
 * in flight are counted. Owned by the partition's thread.
 *
 *   i32  0, 1 hash of the group id   2 queue   3 head, 4 tail of the list   5 messages in the list
 *        6 locked    messages in flight or held: on a FIFO queue they lock the group
 *        7 total     messages that name this group in their rows; at 0 the group is given back
 *        8 next, 9 previous in its queue's ring of groups that can be received from
 *       10 in the ring: 0 or 1       11 next in its hash chain
 *       12 next, 13 previous among all groups of its queue       14 has a hash: 0 or 1
 *
 * Two ids of one queue with the same 64-bit hash share a group: their messages are kept in order
 * with each other, which is more than was asked for, never less. */

import {
  type MessageTable,
  NEXT,
  PREVIOUS,
  ROW_DOUBLES,
  ROW_WORDS,
  SEQUENCE,
} from './message-table.ts';

export const GROUP_WORDS = 16;
export const HASH_LOW = 0;
export const HASH_HIGH = 1;
export const GROUP_QUEUE = 2;
export const HEAD = 3;
export const TAIL = 4;
export const LENGTH = 5;
export const LOCKED = 6;
export const TOTAL = 7;
export const RING_NEXT = 8;
export const RING_PREVIOUS = 9;
export const IN_RING = 10;
const CHAIN = 11;
export const ALL_NEXT = 12;
export const ALL_PREVIOUS = 13;
export const HASHED = 14;

const ROWS_AT_FIRST = 1024;
const BUCKETS_AT_FIRST = 1024;

export class GroupTable {
  words = new Int32Array(ROWS_AT_FIRST * GROUP_WORDS);
  /** `obtain` has just made the group that it returned. */
  isNew = false;
  readonly #messages: MessageTable;
  #buckets = new Int32Array(BUCKETS_AT_FIRST);
  /** Groups that can be found by their hash. */
  #hashed = 0;
  #freeHead = 0;
  #end = 1;
  // Where the last insertion out of order went: those that follow it go near.
  #hintGroup = 0;
  #hintSlot = 0;

  constructor(messages: MessageTable) {
    this.#messages = messages;
  }

  /** Makes a group that only its queue knows. */
  allocate(queue: number): number {
    let group = this.#freeHead;
    if (group === 0) {
      group = this.#end++;
      if (group * GROUP_WORDS === this.words.length) {
        const grown = new Int32Array(this.words.length * 2);
        grown.set(this.words);
        this.words = grown;
      }
    } else {
      this.#freeHead = this.words[group * GROUP_WORDS + CHAIN]!;
    }
    this.words.fill(0, group * GROUP_WORDS, (group + 1) * GROUP_WORDS);
    this.words[group * GROUP_WORDS + GROUP_QUEUE] = queue;
    return group;
  }

  /** The group of `queue` with that hash, made if there is none. */
  obtain(queue: number, hashLow: number, hashHigh: number): number {
    let bucket = this.#bucket(queue, hashLow, hashHigh);
    const { words } = this;
    for (let group = this.#buckets[bucket]!; group !== 0; ) {
      const row = group * GROUP_WORDS;
      const same =
        words[row + HASH_LOW] === hashLow &&
        words[row + HASH_HIGH] === hashHigh &&
        words[row + GROUP_QUEUE] === queue;
      if (same) {
        this.isNew = false;
        return group;
      }
      group = words[row + CHAIN]!;
    }
    if (this.#hashed >= this.#buckets.length) {
      this.#rehash();
      bucket = this.#bucket(queue, hashLow, hashHigh);
    }
    const group = this.allocate(queue);
    const row = group * GROUP_WORDS;
    this.words[row + HASH_LOW] = hashLow;
    this.words[row + HASH_HIGH] = hashHigh;
    this.words[row + HASHED] = 1;
    this.words[row + CHAIN] = this.#buckets[bucket]!;
    this.#buckets[bucket] = group;
    this.#hashed++;
    this.isNew = true;
    return group;
  }

  #bucket(queue: number, hashLow: number, hashHigh: number): number {
    return (hashLow ^ hashHigh ^ Math.imul(queue, 0x9e37_79b1)) & (this.#buckets.length - 1);
  }

  #rehash(): void {
    const old = this.#buckets;
    this.#buckets = new Int32Array(old.length * 4);
    const { words } = this;
    for (let first of old) {
      while (first !== 0) {
        const row = first * GROUP_WORDS;
        const next = words[row + CHAIN]!;
        const bucket = this.#bucket(
          words[row + GROUP_QUEUE]!,
          words[row + HASH_LOW]!,
          words[row + HASH_HIGH]!,
        );
        words[row + CHAIN] = this.#buckets[bucket]!;
        this.#buckets[bucket] = first;
        first = next;
      }
    }
  }

  /** Gives a group back that `obtain` made and no message names any longer. */
  release(group: number): void {
    const { words } = this;
    const row = group * GROUP_WORDS;
    const bucket = this.#bucket(
      words[row + GROUP_QUEUE]!,
      words[row + HASH_LOW]!,
      words[row + HASH_HIGH]!,
    );
    let before = 0;
    for (let other = this.#buckets[bucket]!; other !== group; ) {
      before = other;
      other = words[other * GROUP_WORDS + CHAIN]!;
    }
    const next = words[row + CHAIN]!;
    if (before === 0) this.#buckets[bucket] = next;
    else words[before * GROUP_WORDS + CHAIN] = next;
    this.#hashed--;
    this.free(group);
  }

  /** Gives a group back that `allocate` made. */
  free(group: number): void {
    if (this.#hintGroup === group) this.#hintGroup = 0;
    this.words[group * GROUP_WORDS + CHAIN] = this.#freeHead;
    this.#freeHead = group;
  }

  /** Puts a message at the end of its group's list. */
  append(group: number, slot: number): void {
    const { words } = this;
    const messages = this.#messages.words;
    const row = group * GROUP_WORDS;
    const tail = words[row + TAIL]!;
    messages[slot * ROW_WORDS + NEXT] = 0;
    messages[slot * ROW_WORDS + PREVIOUS] = tail;
    if (tail === 0) words[row + HEAD] = slot;
    else messages[tail * ROW_WORDS + NEXT] = slot;
    words[row + TAIL] = slot;
    words[row + LENGTH]!++;
  }

  /** Puts a message where its sequence belongs in its group's list. */
  insertInOrder(group: number, slot: number): void {
    const { doubles } = this.#messages;
    const messages = this.#messages.words;
    const row = group * GROUP_WORDS;
    const sequence = doubles[slot * ROW_DOUBLES + SEQUENCE]!;
    const tail = this.words[row + TAIL]!;
    if (tail === 0 || doubles[tail * ROW_DOUBLES + SEQUENCE]! < sequence) {
      this.append(group, slot);
      return;
    }
    let before = 0;
    let after = this.words[row + HEAD]!;
    if (this.#hintGroup === group) {
      const hint = this.#hintSlot;
      if (doubles[hint * ROW_DOUBLES + SEQUENCE]! < sequence) {
        before = hint;
        after = messages[hint * ROW_WORDS + NEXT]!;
      }
    }
    // Ends before the tail at the latest, whose sequence is larger.
    while (doubles[after * ROW_DOUBLES + SEQUENCE]! < sequence) {
      before = after;
      after = messages[after * ROW_WORDS + NEXT]!;
    }
    messages[slot * ROW_WORDS + PREVIOUS] = before;
    messages[slot * ROW_WORDS + NEXT] = after;
    messages[after * ROW_WORDS + PREVIOUS] = slot;
    if (before === 0) this.words[row + HEAD] = slot;
    else messages[before * ROW_WORDS + NEXT] = slot;
    this.words[row + LENGTH]!++;
    this.#hintGroup = group;
    this.#hintSlot = slot;
  }

  /** Lets go of all messages of a group's list, and of those that lock it. */
  clear(group: number): void {
    const { words } = this;
    const row = group * GROUP_WORDS;
    words[row + HEAD] = 0;
    words[row + TAIL] = 0;
    words[row + LENGTH] = 0;
    words[row + LOCKED] = 0;
    if (this.#hintGroup === group) this.#hintGroup = 0;
  }

  /** Takes a message out of its group's list. */
  unlink(group: number, slot: number): void {
    const { words } = this;
    const messages = this.#messages.words;
    const row = group * GROUP_WORDS;
    const next = messages[slot * ROW_WORDS + NEXT]!;
    const previous = messages[slot * ROW_WORDS + PREVIOUS]!;
    if (previous === 0) words[row + HEAD] = next;
    else messages[previous * ROW_WORDS + NEXT] = next;
    if (next === 0) words[row + TAIL] = previous;
    else messages[next * ROW_WORDS + PREVIOUS] = previous;
    words[row + LENGTH]!--;
    if (slot === this.#hintSlot) this.#hintGroup = 0;
  }
}
