/* Makes segments ahead of use: files of zeros, so that a commit overwrites instead of extending.
 * Removes what belongs to segments that were given up.
 * Runs on the maintenance pool's one thread, while a log may be taking what is made here. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { storedSegmentBytes } from './open-segments.ts';
import { digestFileName, listLog, spareFileName, unfinishedFileName } from './segment.ts';
import { isMissing, type Storage } from './storage.ts';

export interface Preallocation {
  readonly directory: string;
  /** Of a new log; one that exists has its own. */
  readonly segmentBytes: number;
  readonly sparesWanted: number;
}

/** Fills the directory up to so many spares, and removes what is of no use there. Returns how many
 *  were made. */
export function makeSpares(
  storage: Storage,
  { directory, segmentBytes, sparesWanted }: Preallocation,
): number {
  storage.makeDirectory(directory);
  // Given up by the log, or left over from a crash.
  for (const name of listLog(storage, directory).unfinished) {
    storage.remove(join(directory, name), false);
  }
  removeOrphanedDigests(storage, directory, false);
  const bytes = storedSegmentBytes(storage, directory) ?? segmentBytes;
  for (let made = 0; ; made++) {
    // The log takes some meanwhile.
    const spares = listLog(storage, directory).spares.length;
    if (spares >= sparesWanted) return made;
    const tag = randomBytes(6).toString('hex');
    const unfinishedPath = join(directory, unfinishedFileName(tag));
    // A log that has none left waits for it when it next begins a segment.
    storage.createZeroed(unfinishedPath, bytes, spares === 0);
    storage.rename(unfinishedPath, join(directory, spareFileName(tag)));
    storage.syncDirectory(directory);
  }
}

/** True when the log in a directory can begin a segment without making it first. Any thread. */
export function hasSpares(storage: Storage, directory: string): boolean {
  try {
    return listLog(storage, directory).spares.length > 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export function removeOrphanedDigests(
  storage: Storage,
  directory: string,
  hurried?: boolean,
): void {
  const { segments, digests } = listLog(storage, directory);
  for (const index of digests) {
    if (!segments.includes(index)) removeDigest(storage, directory, index, hurried);
  }
}

/** A digest without its segment is of no use, and does no harm. */
export function removeDigest(
  storage: Storage,
  directory: string,
  index: number,
  hurried?: boolean,
): void {
  try {
    storage.remove(join(directory, digestFileName(index)), hurried);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
