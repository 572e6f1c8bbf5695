/* Syncs a partition's log on a thread of its own, so that the partition decides the next commands
 * while the disk takes the last ones. This is the partition's end; sync-worker.ts is the other.
 *
 * What the two share:
 *   i32 word 0  STATE       STARTING -> IDLE <-> SYNCING; the worker makes it IDLE, the partition
 *                           SYNCING or, at last, CLOSED
 *   i32 word 1  DESCRIPTOR  of the file to sync
 *   i32 word 2  ERROR       of the sync done last: 0, or the system's negative number */

import { getSystemErrorName } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { StorageFile } from '../log/wal/storage.ts';
import type { Syncer } from '../log/wal/syncer.ts';

export const STATE = 0;
export const DESCRIPTOR = 1;
export const ERROR = 2;
const WORDS = 3;

export const STARTING = 0;
export const IDLE = 1;
export const SYNCING = 2;
export const CLOSED = 3;

/** `workerData` of the worker. */
export interface SyncerStart {
  readonly words: SharedArrayBuffer;
  /** The partition's, rung after each sync. */
  readonly doorbell: SharedArrayBuffer;
}

const WORKER_URL = new URL('./sync-worker.js', import.meta.url);

export class SyncThread implements Syncer {
  readonly #words: Int32Array;

  /** @param doorbell the owner's, rung when a sync has ended. */
  constructor(doorbell: SharedArrayBuffer) {
    const words = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT);
    this.#words = new Int32Array(words);
    const workerData: SyncerStart = { words, doorbell };
    // It ends with its owner's thread, which never looks at its events: it does nothing but sync.
    new Worker(WORKER_URL, { workerData, resourceLimits: { maxOldGenerationSizeMb: 16 } }).unref();
  }

  get ready(): boolean {
    const state = Atomics.load(this.#words, STATE);
    return state === IDLE || state === SYNCING;
  }

  begin(file: StorageFile): void {
    Atomics.store(this.#words, DESCRIPTOR, file.descriptor);
    Atomics.store(this.#words, STATE, SYNCING);
    Atomics.notify(this.#words, STATE);
  }

  get busy(): boolean {
    return Atomics.load(this.#words, STATE) === SYNCING;
  }

  end(): void {
    Atomics.wait(this.#words, STATE, SYNCING);
    const errno = Atomics.load(this.#words, ERROR);
    if (errno === 0) return;
    const code = getSystemErrorName(errno);
    throw Object.assign(new Error(`${code}: the file could not be synced`), { errno, code });
  }

  close(): void {
    Atomics.wait(this.#words, STATE, SYNCING);
    Atomics.store(this.#words, STATE, CLOSED);
    Atomics.notify(this.#words, STATE);
  }
}
