/* Precise ticks for an open-loop load: see ticker-thread.ts. */

import { Worker } from 'node:worker_threads';

export interface Ticker {
  stop(): Promise<void>;
}

export function startTicker(intervalMs: number, onTick: () => void): Ticker {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./ticker-thread.js', import.meta.url), {
    workerData: { intervalMs, stop },
  });
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
