/* A queue whose members may leave from anywhere. Each member carries its own links, and leaves with
 * none, so that nothing which has left refers to what is in: see slots.ts for why that matters. */

export interface Linked<T> {
  /** The list that it is in. */
  list: object | undefined;
  before: T | undefined;
  after: T | undefined;
}

export class LinkedList<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;

  get first(): T | undefined {
    return this.#first;
  }

  get empty(): boolean {
    return this.#first === undefined;
  }

  /** Adds a member of no list at the end. */
  push(member: T): void {
    member.list = this;
    member.before = this.#last;
    if (this.#last === undefined) this.#first = member;
    else this.#last.after = member;
    this.#last = member;
  }

  /** False: it is not in this list. */
  delete(member: T): boolean {
    if (member.list !== this) return false;
    const { before, after } = member;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    member.list = undefined;
    member.before = undefined;
    member.after = undefined;
    return true;
  }

  /** From the first on; the member at hand may leave meanwhile. */
  *[Symbol.iterator](): Generator<T, undefined> {
    let member = this.#first;
    while (member !== undefined) {
      const { after } = member;
      yield member;
      member = after;
    }
  }
}
