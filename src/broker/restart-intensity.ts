/* How often a partition may be restarted: at most `restartsMax` times within any `periodMs`. One
 * more escalates: the supervisor gives the partition up. Pure; one instance per partition, on the
 * main thread. */

export class RestartIntensity {
  readonly #restartsMax: number;
  readonly #periodMs: number;
  /** When the restarts within the last period were, the oldest first. */
  #restartedAt: number[] = [];

  constructor(restartsMax: number, periodMs: number) {
    this.#restartsMax = restartsMax;
    this.#periodMs = periodMs;
  }

  /** Asks for a restart at `now`. True: it is allowed, and counted. False: the intensity is
   *  exceeded. */
  allow(now: number): boolean {
    this.#restartedAt = this.#restartedAt.filter((at) => now - at < this.#periodMs);
    if (this.#restartedAt.length >= this.#restartsMax) return false;
    this.#restartedAt.push(now);
    return true;
  }

  /** Forgets what was: the partition has been given another chance from outside. */
  reset(): void {
    this.#restartedAt = [];
  }
}
