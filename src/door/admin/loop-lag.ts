/* How late the event loops of threads come. Each thread watches its own and publishes what it saw
 * on shared memory, so that whichever thread is asked can tell of all. */

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** The wait itself is part of what the histogram holds, and is taken off. */
const RESOLUTION_MS = 50;
const PUBLISH_INTERVAL_MS = 5000;
const VALUES = 3;

export interface LoopLag {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function allocateLoopLags(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * VALUES * Float64Array.BYTES_PER_ELEMENT);
}

/** What thread `thread` published last, in seconds. */
export function readLoopLag(memory: SharedArrayBuffer, thread: number): LoopLag {
  const [p50 = 0, p99 = 0, max = 0] = new Float64Array(memory).subarray(thread * VALUES);
  return { p50, p99, max };
}

/** Watches the loop of the calling thread. Keeps no thread alive. */
export class LoopLagWatch {
  readonly #published: Float64Array;
  readonly #histogram: IntervalHistogram;
  readonly #timer: NodeJS.Timeout;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#published = new Float64Array(memory, thread * VALUES * 8, VALUES);
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#publish(), PUBLISH_INTERVAL_MS);
    this.#timer.unref();
  }

  #publish(): void {
    const histogram = this.#histogram;
    if (histogram.count > 0) {
      this.#published[0] = lagSeconds(histogram.percentile(50));
      this.#published[1] = lagSeconds(histogram.percentile(99));
      this.#published[2] = lagSeconds(histogram.max);
    }
    histogram.reset();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }
}

function lagSeconds(delayNs: number): number {
  return Math.max(0, delayNs / 1e6 - RESOLUTION_MS) / 1000;
}
