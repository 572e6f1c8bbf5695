/* How much of each region of the log is still needed: the cleaner asks. A region is needed while a
 * message's entry lies in it. Owned by the partition's thread. */

import { assert } from '../base/assert.ts';

export class LiveRegions {
  readonly #regionBytes: number;
  /** Of region `#first + i`. */
  #messages: number[] = [];
  #first = 0;
  /** Bytes of the entries of all messages. */
  bytes = 0;

  constructor(regionBytes: number) {
    this.#regionBytes = regionBytes;
  }

  add(position: number, entryBytes: number): void {
    const region = Math.floor(position / this.#regionBytes);
    this.bytes += entryBytes;
    if (this.#messages.length === 0) this.#first = region;
    while (region < this.#first) {
      this.#messages.unshift(0);
      this.#first--;
    }
    const index = region - this.#first;
    while (this.#messages.length <= index) this.#messages.push(0);
    this.#messages[index]!++;
  }

  remove(position: number, entryBytes: number): void {
    const index = Math.floor(position / this.#regionBytes) - this.#first;
    this.bytes -= entryBytes;
    const left = --this.#messages[index]!;
    assert(left >= 0, 'a region is left by no more messages than it held');
  }

  /** Messages whose entries lie in `region`. */
  messagesIn(region: number): number {
    return this.#messages[region - this.#first] ?? 0;
  }

  /** Regions before `region` are gone. */
  forget(region: number): void {
    while (this.#first < region && this.#messages.length > 0) {
      assert(this.#messages[0] === 0, 'a region that is released holds no message');
      this.#messages.shift();
      this.#first++;
    }
  }
}
