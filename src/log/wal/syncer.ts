/* The seam between a log and whoever syncs its file while the log's thread goes on. Owned by the
 * log's thread. */

import type { StorageFile } from './storage.ts';

export interface Syncer {
  /** `begin` may be called. False while it gets ready, which may take a while. */
  readonly ready: boolean;
  /** Begins to sync all that was written to `file` so far; after the sync under way, if there is
   *  one. Syncs that are not done are all of one file. */
  begin(file: StorageFile): void;
  /** Syncs begun and not done; they are done in order. Throws the system's error once one has
   *  failed. */
  outstanding(): number;
  /** Waits until none is outstanding. Throws as `outstanding` does. */
  drain(): void;
  /** Begins nothing any more; waits for what is under way, whatever comes of it. */
  close(): void;
}
