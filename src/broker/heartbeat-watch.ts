/* Tells from the heartbeats of one thread whether it hangs. Pure; one instance per life of a
 * thread, on the main thread, which looks every HEARTBEAT_INTERVAL_MS.
 *
 * Looks are counted, not time: a process that was suspended as a whole, or a machine that gave it
 * no time, must not find all of its threads hung. */

import { HEARTBEAT_INTERVAL_MS } from '../base/limits.ts';

/** A thread that starts may take so many times longer for its first beat: it loads its code first,
 *  and the machine may be busy with starting the others. */
const START_PATIENCE = 4;

export class HeartbeatWatch {
  readonly #missesMax: number;
  #lastBeat: number;
  /** Looks in a row that found no beat since the one before. */
  #misses = 0;

  /** @param beat what the heartbeat is while the thread has yet to beat. */
  constructor(heartbeatTimeoutMs: number, beat: number) {
    this.#missesMax = Math.ceil(heartbeatTimeoutMs / HEARTBEAT_INTERVAL_MS);
    this.#lastBeat = beat;
  }

  /** One look at the heartbeat. True: the thread hangs; it is said once, and then from the start.
   *  @param starting it does not run yet. */
  isHung(beat: number, starting: boolean): boolean {
    this.#misses = beat === this.#lastBeat ? this.#misses + 1 : 0;
    this.#lastBeat = beat;
    if (this.#misses < this.#missesMax * (starting ? START_PATIENCE : 1)) return false;
    this.#misses = 0;
    return true;
  }
}
