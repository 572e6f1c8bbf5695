/* What can be told of a data folder at a glance, before it is opened. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PARTITIONS_MAX } from '../../base/limits.ts';

/** Says what the folder is; FORMAT.md describes it. */
export const METADATA_NAME = 'capstan.json';

/** How many partitions the folder at `path` has, as far as can be seen: undefined when it is none,
 *  or damaged. Opening it tells the truth. */
export function storedPartitions(path: string): number | undefined {
  try {
    const text = readFileSync(join(path, METADATA_NAME), 'utf8');
    const { partitions } = JSON.parse(text) as { readonly partitions?: unknown };
    const possible = (count: unknown): count is number =>
      Number.isInteger(count) && Number(count) >= 1 && Number(count) <= PARTITIONS_MAX;
    return possible(partitions) ? partitions : undefined;
  } catch {
    return undefined; // Whoever opens it says what is wrong with it.
  }
}
