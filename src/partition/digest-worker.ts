/* What the maintenance pool does for a partition: digests of its log's segments, on a thread of low
 * priority. */

import { type DigestTask, writeNextDigest } from '../log/wal/digest.ts';
import { NODE_STORAGE } from '../log/wal/storage.ts';
import { digestRecord } from '../queue/digest.ts';

/** Writes the next digest that is missing. Returns its segment's index, or undefined when none
 *  is. */
export function digest(task: DigestTask): number | undefined {
  return writeNextDigest(NODE_STORAGE, task, digestRecord);
}
