/* Entry of a partition's sync thread: sleeps, syncs the file it is told, rings the partition; until
 * it is closed. */

import { fdatasyncSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { Doorbell } from '../ring/doorbell.ts';
import {
  CLOSED,
  DESCRIPTOR,
  ERROR,
  IDLE,
  STARTING,
  STATE,
  SYNCING,
  type SyncerStart,
} from './sync-thread.ts';

const start = workerData as SyncerStart;
const words = new Int32Array(start.words);
const doorbell = new Doorbell(start.doorbell);

/** 0, or the system's number of the error. */
function sync(descriptor: number): number {
  try {
    fdatasyncSync(descriptor);
    return 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? -1;
  }
}

// The partition may have closed it before it ran.
Atomics.compareExchange(words, STATE, STARTING, IDLE);
for (;;) {
  Atomics.wait(words, STATE, IDLE);
  const state = Atomics.load(words, STATE);
  if (state === CLOSED) break;
  if (state !== SYNCING) continue;
  Atomics.store(words, ERROR, sync(Atomics.load(words, DESCRIPTOR)));
  Atomics.store(words, STATE, IDLE);
  Atomics.notify(words, STATE);
  doorbell.ring();
}
