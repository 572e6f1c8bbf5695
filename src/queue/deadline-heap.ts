/* The deadlines of a partition, the earliest on top: visibility, delay, backoff. A heap of four
 * children a node on typed arrays. It tells each message its index, so that a deadline can be moved
 * or removed in O(log n). Owned by the partition's thread.
 *
 * Invariant: `slots[i]` is s exactly if the row of s says heap index i. Index 0 is unused. */

import { HEAP_INDEX, type MessageTable, ROW_WORDS } from './message-table.ts';

const CAPACITY_AT_FIRST = 1024;

export class DeadlineHeap {
  readonly #table: MessageTable;
  #keys = new Float64Array(CAPACITY_AT_FIRST);
  #slots = new Int32Array(CAPACITY_AT_FIRST);
  size = 0;

  constructor(table: MessageTable) {
    this.#table = table;
  }

  /** The earliest deadline; Infinity when there is none. */
  get earliest(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.#keys[1]!;
  }

  /** The message whose deadline is the earliest. */
  get earliestSlot(): number {
    return this.#slots[1]!;
  }

  /** The deadline of a message that has one. */
  deadline(slot: number): number {
    return this.#keys[this.#table.words[slot * ROW_WORDS + HEAP_INDEX]!]!;
  }

  /** Gives a message that has none a deadline. */
  insert(slot: number, deadline: number): void {
    const index = ++this.size;
    if (index === this.#keys.length) this.#grow();
    this.#rise(index, slot, deadline);
  }

  #grow(): void {
    const keys = new Float64Array(this.#keys.length * 2);
    const slots = new Int32Array(keys.length);
    keys.set(this.#keys);
    slots.set(this.#slots);
    this.#keys = keys;
    this.#slots = slots;
  }

  /** Moves the deadline of a message that has one. */
  move(slot: number, deadline: number): void {
    this.#settle(this.#table.words[slot * ROW_WORDS + HEAP_INDEX]!, slot, deadline);
  }

  /** Takes a message's deadline away. */
  remove(slot: number): void {
    const at = slot * ROW_WORDS + HEAP_INDEX;
    const index = this.#table.words[at]!;
    this.#table.words[at] = 0;
    const last = this.size--;
    if (index !== last) this.#settle(index, this.#slots[last]!, this.#keys[last]!);
  }

  /** Puts `slot` into the hole at `index`, then where it belongs. */
  #settle(index: number, slot: number, deadline: number): void {
    const parent = (index + 2) >> 2;
    if (index > 1 && this.#keys[parent]! > deadline) this.#rise(index, slot, deadline);
    else this.#sink(index, slot, deadline);
  }

  #rise(from: number, slot: number, deadline: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    const { words } = this.#table;
    let index = from;
    while (index > 1) {
      const parent = (index + 2) >> 2;
      const key = keys[parent]!;
      if (key <= deadline) break;
      const moved = slots[parent]!;
      keys[index] = key;
      slots[index] = moved;
      words[moved * ROW_WORDS + HEAP_INDEX] = index;
      index = parent;
    }
    keys[index] = deadline;
    slots[index] = slot;
    words[slot * ROW_WORDS + HEAP_INDEX] = index;
  }

  #sink(from: number, slot: number, deadline: number): void {
    const keys = this.#keys;
    const slots = this.#slots;
    const { words } = this.#table;
    const { size } = this;
    let index = from;
    for (;;) {
      const first = index * 4 - 2;
      if (first > size) break;
      let least = first;
      let key = keys[first]!;
      const end = Math.min(first + 3, size);
      for (let child = first + 1; child <= end; child++) {
        if (keys[child]! < key) {
          key = keys[child]!;
          least = child;
        }
      }
      if (key >= deadline) break;
      const moved = slots[least]!;
      keys[index] = key;
      slots[index] = moved;
      words[moved * ROW_WORDS + HEAP_INDEX] = index;
      index = least;
    }
    keys[index] = deadline;
    slots[index] = slot;
    words[slot * ROW_WORDS + HEAP_INDEX] = index;
  }
}
