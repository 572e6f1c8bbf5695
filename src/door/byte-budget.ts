/* How many bytes of requests and answers one door holds for its clients. The kernel's buffers are
 * not counted, and neither are small bodies that come in one piece. */

export class ByteBudget {
  readonly max: number;
  #used = 0;

  constructor(max: number) {
    this.max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** False, and nothing taken, if that is more than there is. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.max) return false;
    this.#used += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#used -= bytes;
  }
}
