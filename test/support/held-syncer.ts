/* A log's syncer in the hands of a test, over a disk in memory: a sync lasts until the test lets it
 * end, and covers what was written before it began. */

import type { StorageFile } from '../../src/log/wal/storage.ts';
import type { Syncer } from '../../src/log/wal/syncer.ts';
import { FaultyFile } from './faulty-storage.ts';

export class HeldSyncer implements Syncer {
  ready = true;
  /** Since the start. */
  begun = 0;
  readonly #held: () => boolean;
  /** The first one is under way. */
  #outstanding: FaultyFile[] = [];
  #finish: (() => void) | undefined;

  /** @param held asked whenever somebody looks: true while the sync under way is to last. */
  constructor(held: () => boolean) {
    this.#held = held;
  }

  begin(file: StorageFile): void {
    if (!(file instanceof FaultyFile)) throw new TypeError('a file of a FaultyStorage is wanted');
    this.begun++;
    this.#outstanding.push(file);
    this.#finish ??= file.beginSync();
  }

  outstanding(): number {
    if (this.#outstanding.length > 0 && !this.#held()) this.#end();
    return this.#outstanding.length;
  }

  drain(): void {
    while (this.#outstanding.length > 0) this.#end();
  }

  #end(): void {
    const finish = this.#finish!;
    this.#outstanding.shift();
    this.#finish = undefined;
    finish();
    this.#finish = this.#outstanding[0]?.beginSync();
  }

  /** What is outstanding comes to nothing: the log that asked for it has failed, or is closed. */
  close(): void {
    this.#outstanding = [];
    this.#finish = undefined;
    this.ready = false;
  }
}
