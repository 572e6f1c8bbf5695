/* A new data folder gets its spare log segments, a few hundred megabytes of zeros, in the first
 * seconds of a server's life, on the disk that is under measurement. What is measured is a server
 * that has them. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 300;
const LOOKS_IN_A_ROW = 3;
const PATIENCE_MS = 30_000;

/** Resolves once no spare is being made in the data folder, or after half a minute. */
export async function settled(data: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (let quiet = 0; quiet < LOOKS_IN_A_ROW && performance.now() < until; ) {
    await sleep(LOOK_MS);
    quiet = hasSpares(data) ? quiet + 1 : 0;
  }
}

function hasSpares(data: string): boolean {
  const partitions = readdirSync(data).filter((name) => name.startsWith('partition-'));
  return partitions.every((partition) => {
    const names = readdirSync(join(data, partition));
    return (
      names.some((name) => name.startsWith('spare-')) &&
      !names.some((name) => name.startsWith('unfinished-'))
    );
  });
}
