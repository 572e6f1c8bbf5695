/* Entry of a partition's sync thread: sleeps, syncs the file it is told, rings the partition; until
 * it is closed. */

import { fdatasyncSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { Doorbell } from '../ring/doorbell.ts';
import {
  COMPLETED,
  DESCRIPTOR,
  ERROR,
  FAILED,
  READY,
  REQUESTED,
  STARTING,
  STATE,
  type SyncerStart,
} from './sync-thread.ts';

const start = workerData as SyncerStart;
const words = new Int32Array(start.words);
const doorbell = new Doorbell(start.doorbell);

/** False: it failed, and the partition will see it. */
function sync(descriptor: number): boolean {
  try {
    fdatasyncSync(descriptor);
    return true;
  } catch (error) {
    Atomics.store(words, ERROR, (error as NodeJS.ErrnoException).errno ?? -1);
    Atomics.store(words, STATE, FAILED);
    return false;
  }
}

// The partition may have closed it before it ran.
Atomics.compareExchange(words, STATE, STARTING, READY);
for (let completed = 0; ; ) {
  Atomics.wait(words, REQUESTED, completed);
  if (Atomics.load(words, STATE) !== READY) break;
  const requested = Atomics.load(words, REQUESTED);
  if (sync(Atomics.load(words, DESCRIPTOR))) {
    completed = requested;
    Atomics.store(words, COMPLETED, completed);
  }
  Atomics.notify(words, COMPLETED);
  doorbell.ring();
}
