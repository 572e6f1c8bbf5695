/* A log's syncer in the hands of a test, over a disk in memory: a sync lasts until the test lets it
 * end, and covers what was written before it began. */

import type { StorageFile } from '../../src/log/wal/storage.ts';
import type { Syncer } from '../../src/log/wal/syncer.ts';
import { FaultyFile } from './faulty-storage.ts';

export class HeldSyncer implements Syncer {
  ready = true;
  begun = 0;
  readonly #held: () => boolean;
  #finish: (() => void) | undefined;

  /** @param held asked whenever somebody looks: true while the sync under way is to last. */
  constructor(held: () => boolean) {
    this.#held = held;
  }

  begin(file: StorageFile): void {
    if (!(file instanceof FaultyFile)) throw new TypeError('a file of a FaultyStorage is wanted');
    if (this.#finish !== undefined) throw new Error('a sync is under way');
    this.#finish = file.beginSync();
    this.begun++;
  }

  get busy(): boolean {
    return this.#finish !== undefined && this.#held();
  }

  end(): void {
    const finish = this.#finish;
    if (finish === undefined) throw new Error('no sync is under way');
    this.#finish = undefined;
    finish();
  }

  /** What was under way comes to nothing: the log that asked for it has failed, or is closed. */
  close(): void {
    this.#finish = undefined;
    this.ready = false;
  }
}
