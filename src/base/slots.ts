/* Things that come and go, each in a slot of its own until it goes.
 *
 * Not a Map or a Set: with so much coming and going these outgrow their table all the time, and
 * every table that was outgrown refers to the one after it. Once the first of such a chain is old,
 * everything that was ever in the later ones outlives the collections of the young, and is copied
 * and promoted before it is garbage. */

export class Slots<T> {
  readonly #items: (T | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#items.length - this.#free.length;
  }

  /** The slot of what is added next. */
  get next(): number {
    return this.#free.at(-1) ?? this.#items.length;
  }

  /** Returns its slot: below the most that were ever in at a time. */
  add(item: T): number {
    const slot = this.#free.pop() ?? this.#items.length;
    this.#items[slot] = item;
    return slot;
  }

  get(slot: number): T | undefined {
    return this.#items[slot];
  }

  /** Empties a slot that is taken. */
  delete(slot: number): void {
    this.#items[slot] = undefined;
    this.#free.push(slot);
  }

  /** In the order of their slots; things may be added and deleted meanwhile. */
  *[Symbol.iterator](): Generator<T, undefined> {
    for (let slot = 0; slot < this.#items.length; slot++) {
      const item = this.#items[slot];
      if (item !== undefined) yield item;
    }
  }
}
