/* Where the end of one call goes, without a promise and its turns of the microtask queue: what a
 * hot path hands down, so that whoever knows the end tells it, on the spot. */

/** Told once, at once or later, on the same thread. Neither function throws. */
export interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}
