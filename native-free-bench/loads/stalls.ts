/* How long the machine stands still: threads that do nothing but look at the clock, one for each
 * core, and how late one of them sees moments that are due at a fixed rate. No server, no disk and
 * no other thread has a part in it: what is late here is late in every latency. */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Histogram } from '../harness/histogram.ts';
import type { Load } from '../harness/load-contract.ts';

export interface StallsParameters {
  readonly momentsPerSecond: number;
  readonly seconds: number;
}

/** @param workerData ends it when it is not 0 any more. */
const SPIN = `
  const { workerData } = require('node:worker_threads');
  while (Atomics.load(workerData, 0) === 0) performance.now();
`;

export const load: Load<StallsParameters> = async ({ momentsPerSecond, seconds }, context) => {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const others = Array.from({ length: availableParallelism() - 1 }, () => {
    const worker = new Worker(SPIN, { eval: true, workerData: stop });
    const online = new Promise((resolve) => worker.once('online', resolve));
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    return { online, exited };
  });
  await Promise.all(others.map(({ online }) => online));
  const lateness = new Histogram();
  await context.begin();
  const start = performance.now();
  const total = momentsPerSecond * seconds;
  for (let moment = 0; moment < total; ) {
    const now = performance.now() - start;
    for (; moment < total; moment++) {
      const dueMs = (moment * 1000) / momentsPerSecond;
      if (dueMs > now) break;
      lateness.recordMs(now - dueMs);
    }
  }
  context.end();
  Atomics.store(stop, 0, 1);
  await Promise.all(others.map(({ exited }) => exited));
  return { messages: total, latencies: { lateness: lateness.snapshot() } };
};
