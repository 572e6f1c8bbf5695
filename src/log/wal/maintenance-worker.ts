/* What the maintenance pool does for the log, on a thread of low priority. One task at a time. */

import { setPriority } from 'node:os';
import { storeDigest } from './digest.ts';
import type { Damage } from './segment.ts';
import { listLog } from './segment.ts';
import { makeSpares, type Preallocation, removeLeftover } from './spares.ts';
import { NODE_STORAGE } from './storage.ts';
import { scrubSegment } from './verify.ts';

/** Gives way to partitions and doors. */
const NICENESS = 10;

// Of this thread alone; elsewhere than on Linux it would be the whole process's.
if (process.platform === 'linux') setPriority(0, NICENESS);

/** Returns how many spares were made. */
export function preallocate(task: Preallocation): number {
  return makeSpares(NODE_STORAGE, task);
}

/** Returns whether there are more. */
export function clear({ directory }: { readonly directory: string }): boolean {
  return removeLeftover(NODE_STORAGE, directory);
}

export interface DigestToStore {
  readonly directory: string;
  readonly index: number;
  readonly digest: Uint8Array;
}

/** Stores the digest that a log has gathered of a segment. */
export function keepDigest({ directory, index, digest }: DigestToStore): void {
  const bytes = Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength);
  storeDigest(NODE_STORAGE, directory, index, bytes);
}

export interface ScrubTask {
  readonly directory: string;
  /** The segment, or the next one that there is. */
  readonly from: number;
}

export interface ScrubResult {
  /** Undefined when no cold segment is left. */
  readonly scrubbed: number | undefined;
  readonly damage: Damage | undefined;
}

/** Checks one cold segment. */
export function scrub({ directory, from }: ScrubTask): ScrubResult {
  const cold = listLog(NODE_STORAGE, directory).segments.slice(0, -1);
  const scrubbed = cold.find((index) => index >= from);
  if (scrubbed === undefined) return { scrubbed, damage: undefined };
  return { scrubbed, damage: scrubSegment(NODE_STORAGE, directory, scrubbed) };
}
