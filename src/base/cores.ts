/* How the cores are shared out where nobody says otherwise. */

import { availableParallelism } from 'node:os';

/** Half of the cores parse and answer requests, the other half decides and logs: a thread more on
 *  either side only takes turns with the others, and every receive asks one partition more. */
export function halfOfTheCores(max: number, cores = availableParallelism()): number {
  return Math.min(max, Math.max(1, Math.floor(cores / 2)));
}
