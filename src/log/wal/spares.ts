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

/** Fills the directory up to so many spares. Returns how many were made. */
export function makeSpares(
  storage: Storage,
  { directory, segmentBytes, sparesWanted }: Preallocation,
): number {
  storage.makeDirectory(directory);
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

/** Removes one of the files that a log has given up, or that a crash has left over, and after the
 *  last of them the digests without segments. True: there are more. A log that was drained gives up
 *  hundreds; nobody is to wait for all of them. */
export function removeLeftover(storage: Storage, directory: string): boolean {
  const [first, ...others] = listLog(storage, directory).unfinished;
  if (first !== undefined) storage.remove(join(directory, first), false);
  if (others.length > 0) return true;
  removeOrphanedDigests(storage, directory, false);
  return false;
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
