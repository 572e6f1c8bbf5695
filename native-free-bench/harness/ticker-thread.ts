/* A thread that does nothing but tell time: it wakes its owner at fixed moments, precisely, which
 * timers of an event loop cannot below a few milliseconds. */

import { parentPort, workerData } from 'node:worker_threads';
import type { TickerStart } from './ticker.ts';

const NS_PER_MS = 1e6;

const { startNs, intervalNs, stop } = workerData as TickerStart;
let tick = 0n;
for (;;) {
  const pauseMs = Number(startNs + tick * intervalNs - process.hrtime.bigint()) / NS_PER_MS;
  // Sleeping on the stop word: it ends the sleep, and nothing else does.
  if (pauseMs > 0 && Atomics.wait(stop, 0, 0, pauseMs) !== 'timed-out') break;
  if (Atomics.load(stop, 0) !== 0) break;
  parentPort?.postMessage(0);
  const reached = (process.hrtime.bigint() - startNs) / intervalNs;
  tick = reached > tick ? reached + 1n : tick + 1n; // Ticks that were missed are one.
}
