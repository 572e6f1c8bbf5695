/* A thread that does nothing but tell time: it wakes its owner every `intervalMs`, precisely, which
 * timers of an event loop cannot below a few milliseconds. */

import { parentPort, workerData } from 'node:worker_threads';

const { intervalMs, stop } = workerData as { intervalMs: number; stop: Int32Array };
let next = performance.now() + intervalMs;
for (;;) {
  const pauseMs = next - performance.now();
  // Sleeping on the stop word: it ends the sleep, and nothing else does.
  if (pauseMs > 0 && Atomics.wait(stop, 0, 0, pauseMs) !== 'timed-out') break;
  if (Atomics.load(stop, 0) !== 0) break;
  parentPort?.postMessage(0);
  next = Math.max(next + intervalMs, performance.now());
}
