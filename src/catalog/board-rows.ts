/* Which rows of the board are taken. A row is given out again as late as can be, so that what a
 * partition still publishes of a deleted queue has long ceased when the row's next queue comes. */

import { assert } from '../base/assert.ts';

export class BoardRows {
  readonly #taken: Uint8Array;
  #count = 0;
  #next = 0;

  constructor(rows: number) {
    this.#taken = new Uint8Array(rows);
  }

  get free(): number {
    return this.#taken.length - this.#count;
  }

  /** The free row that `take` goes on from the row given out last to find. */
  nextFree(): number {
    assert(this.free > 0, 'a row is asked for only while one is free');
    let row = this.#next;
    while (this.#taken[row] !== 0) row = (row + 1) % this.#taken.length;
    return row;
  }

  take(row: number): void {
    assert(this.#taken[row] === 0, 'a row of the board belongs to one queue');
    this.#taken[row] = 1;
    this.#count++;
    this.#next = (row + 1) % this.#taken.length;
  }

  release(row: number): void {
    assert(this.#taken[row] === 1, 'a row that is released was taken');
    this.#taken[row] = 0;
    this.#count--;
  }
}
