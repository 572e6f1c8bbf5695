/* Precise ticks for an open-loop load: see ticker-thread.ts. */

import { Worker } from 'node:worker_threads';

export interface Ticker {
  stop(): Promise<void>;
}

export interface TickerStart {
  /** The first tick, by the clock that all threads share: `process.hrtime.bigint()`. */
  readonly startNs: bigint;
  readonly intervalNs: bigint;
  readonly stop: Int32Array;
}

/** Calls `onTick` every `intervalMs` from `startNs` on, as exactly as it can be had. */
export function startTicker(startNs: bigint, intervalMs: number, onTick: () => void): Ticker {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const start: TickerStart = { startNs, intervalNs: BigInt(Math.round(intervalMs * 1e6)), stop };
  const worker = new Worker(new URL('./ticker-thread.js', import.meta.url), { workerData: start });
  worker.on('message', onTick);
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  return {
    stop: async () => {
      worker.off('message', onTick);
      Atomics.store(stop, 0, 1);
      Atomics.notify(stop, 0);
      await exited;
    },
  };
}
