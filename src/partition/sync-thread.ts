/* Syncs a partition's log on a thread of its own, so that the partition decides the next commands
 * while the disk takes the last ones. This is the partition's end; sync-worker.ts is the other.
 *
 * What the two share:
 *   i32 word 0  STATE       STARTING -> READY; FAILED after an error; CLOSED by the partition
 *   i32 word 1  REQUESTED   syncs asked for; wraps; the partition adds, the worker waits on it
 *   i32 word 2  COMPLETED   syncs done; the worker stores, the partition may wait on it
 *   i32 word 3  DESCRIPTOR  of the file to sync
 *   i32 word 4  ERROR       the system's negative number, when FAILED
 *
 * The worker goes on at once with what was asked for meanwhile: a sync covers every one asked for
 * before it began. */

import { getSystemErrorName } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ownModule } from '../base/own-code.ts';
import type { StorageFile } from '../log/wal/storage.ts';
import type { Syncer } from '../log/wal/syncer.ts';

export const STATE = 0;
export const REQUESTED = 1;
export const COMPLETED = 2;
export const DESCRIPTOR = 3;
export const ERROR = 4;
const WORDS = 5;

export const STARTING = 0;
export const READY = 1;
export const FAILED = 2;
export const CLOSED = 3;

/** `workerData` of the worker. */
export interface SyncerStart {
  readonly words: SharedArrayBuffer;
  /** The partition's, rung after each sync. */
  readonly doorbell: SharedArrayBuffer;
}

const WORKER_URL = ownModule('partition/sync-worker.js');

export class SyncThread implements Syncer {
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
  readonly #doorbell: SharedArrayBuffer;
  #started = false;

  /** @param doorbell the owner's, rung when a sync has ended. */
  constructor(doorbell: SharedArrayBuffer) {
    this.#doorbell = doorbell;
  }

  /** The first look starts the thread: a partition that commits little never has it, and one that
   *  reads its log has the cores for that. */
  get ready(): boolean {
    if (!this.#started) this.#start();
    return Atomics.load(this.#words, STATE) === READY;
  }

  #start(): void {
    this.#started = true;
    const words = this.#words.buffer;
    const workerData: SyncerStart = { words, doorbell: this.#doorbell };
    // It ends with its owner's thread, which never looks at its events: it does nothing but sync.
    new Worker(WORKER_URL, { workerData, resourceLimits: { maxOldGenerationSizeMb: 16 } }).unref();
  }

  begin(file: StorageFile): void {
    const words = this.#words;
    Atomics.store(words, DESCRIPTOR, file.descriptor);
    const before = Atomics.add(words, REQUESTED, 1);
    // A worker that is busy looks again before it sleeps.
    if (Atomics.load(words, COMPLETED) === before) Atomics.notify(words, REQUESTED);
  }

  outstanding(): number {
    const words = this.#words;
    const outstanding = (Atomics.load(words, REQUESTED) - Atomics.load(words, COMPLETED)) | 0;
    if (Atomics.load(words, STATE) === FAILED) throw systemError(Atomics.load(words, ERROR));
    return outstanding;
  }

  drain(): void {
    this.#wait();
    this.outstanding();
  }

  /** Until nothing is outstanding, or a sync has failed. */
  #wait(): void {
    const words = this.#words;
    for (;;) {
      const completed = Atomics.load(words, COMPLETED);
      if (completed === Atomics.load(words, REQUESTED)) return;
      if (Atomics.load(words, STATE) !== READY) return;
      Atomics.wait(words, COMPLETED, completed);
    }
  }

  close(): void {
    this.#wait();
    Atomics.store(this.#words, STATE, CLOSED);
    Atomics.add(this.#words, REQUESTED, 1);
    Atomics.notify(this.#words, REQUESTED);
  }
}

function systemError(errno: number): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: the file could not be synced`), { errno, code });
}
