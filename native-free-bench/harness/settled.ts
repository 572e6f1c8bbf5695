/* A new data folder gets its spare log segments, a few hundred megabytes of zeros, in the first
 * seconds of a server's life, on the disk that is under measurement. What is measured is a server
 * that has them. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 20;
const SPARES_WANTED = 2; // so many a partition the server makes ahead of use
const PATIENCE_MS = 30_000; // a full disk has none, and is measured as it is

/** Resolves once every partition in the data folder has its spares, or after half a minute. */
export async function settled(data: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!hasSpares(data) && performance.now() < until) await sleep(LOOK_MS);
}

function hasSpares(data: string): boolean {
  const partitions = readdirSync(data).filter((name) => name.startsWith('partition-'));
  return partitions.every((partition) => {
    const names = readdirSync(join(data, partition));
    return names.filter((name) => name.startsWith('spare-')).length >= SPARES_WANTED;
  });
}
