/* The event loop and the doorbell of a simulated thread: what would happen by itself on a real one
 * happens when the simulation says so. */

import type { EventLoop } from '../../src/base/event-loop.ts';
import type { RouterBell } from '../../src/broker/router.ts';

interface Due {
  readonly at: number;
  readonly work: () => void;
}

export class SimulatedLoop implements EventLoop {
  readonly #now: () => number;
  readonly #timers = new Map<number, Due>();
  #soon: (() => void)[] = [];
  #lastTimer = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  soon(work: () => void): void {
    this.#soon.push(work);
  }

  after(ms: number, work: () => void): number {
    this.#timers.set(++this.#lastTimer, { at: this.#now() + ms, work });
    return this.#lastTimer;
  }

  cancel(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  /** Does what was to be done soon. */
  turn(): void {
    const soon = this.#soon;
    this.#soon = [];
    for (const work of soon) work();
  }

  /** Calls the timers that are due, in their order. */
  runTimers(): void {
    const now = this.#now();
    const due = [...this.#timers].filter(([, { at }]) => at <= now);
    due.sort(([a, x], [b, y]) => x.at - y.at || a - b);
    for (const [timer, { work }] of due) if (this.#timers.delete(timer)) work();
  }
}

/** A ring is heard when `deliver` is called, not before; one that a real bell would not have heard
 *  is never heard. */
export class SimulatedBell implements RouterBell {
  #onRing: (() => void) | undefined;
  #rung = false;

  ring(): void {
    this.#rung ||= this.#onRing !== undefined;
  }

  armAsync(onRing: () => void, hasWork: () => boolean): void {
    this.#onRing = onRing;
    this.#rung = hasWork();
  }

  deliver(): void {
    const onRing = this.#onRing;
    if (!this.#rung || onRing === undefined) return;
    this.#rung = false;
    this.#onRing = undefined;
    onRing();
  }

  close(): void {
    this.#onRing = undefined;
  }
}
