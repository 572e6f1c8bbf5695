/* The seam between a log and whoever syncs its file while the log's thread goes on. Owned by the
 * log's thread; one sync is under way at a time. */

import type { StorageFile } from './storage.ts';

export interface Syncer {
  /** `begin` may be called. False while it gets ready, which may take a while. */
  readonly ready: boolean;
  /** Begins to sync all that was written to `file` so far. */
  begin(file: StorageFile): void;
  readonly busy: boolean;
  /** Ends the sync begun: waits while it is busy. Throws the system's error if it failed. */
  end(): void;
  /** Begins nothing any more; waits for a sync under way, whatever comes of it. */
  close(): void;
}
