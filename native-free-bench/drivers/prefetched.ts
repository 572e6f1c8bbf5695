/* Messages that a server pushes ahead of being asked for, kept until a receive takes them. */

import { NOTHING, type Received } from './driver.ts';

export class Prefetched {
  #sequences: number[] = [];
  #receipts: unknown[] = [];
  #arrived: (() => void) | undefined;

  add(sequence: number, receipt: unknown): void {
    this.#sequences.push(sequence);
    this.#receipts.push(receipt);
    this.#arrived?.();
  }

  /** At most `max` messages, once there is one; nothing after `waitMs`. */
  async take(max: number, waitMs: number): Promise<Received> {
    if (this.#sequences.length === 0) {
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, waitMs);
        this.#arrived = () => {
          clearTimeout(timeout);
          resolve();
        };
      });
      this.#arrived = undefined;
    }
    if (this.#sequences.length === 0) return NOTHING;
    return { sequences: this.#sequences.splice(0, max), receipts: this.#receipts.splice(0, max) };
  }
}
