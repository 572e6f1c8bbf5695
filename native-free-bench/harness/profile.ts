/* Where the server's time went, out of the profiles that `node --cpu-prof` left: one file for each
 * thread, and in each the functions by the time spent in themselves. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const FUNCTIONS_TOLD = 25;
const SHARE_MIN = 0.005; // of the thread's busy time

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly hitCount?: number;
  }[];
}

/** A thread that waits: for events, for its bell, for a task of its pool. */
const IDLE = new Set(['(idle)', '(program)', '(root)', 'sleep', 'atomicsWaitLoop']);

function printProfile(file: string): void {
  const { nodes } = JSON.parse(readFileSync(file, 'utf8')) as Profile;
  const hits = new Map<string, number>();
  let busy = 0;
  for (const { callFrame, hitCount = 0 } of nodes) {
    const { functionName, url } = callFrame;
    const name = functionName === '' ? '(anonymous)' : functionName;
    if (IDLE.has(name)) continue;
    const key = url === '' ? name : `${name}  ${basename(url)}`;
    hits.set(key, (hits.get(key) ?? 0) + hitCount);
    busy += hitCount;
  }
  const sorted = [...hits].toSorted((a, b) => b[1] - a[1]).slice(0, FUNCTIONS_TOLD);
  console.log(`  ${basename(file)}: ${busy} samples`);
  for (const [name, count] of sorted) {
    const share = count / busy;
    if (share >= SHARE_MIN) console.log(`    ${(share * 100).toFixed(1).padStart(5)}%  ${name}`);
  }
}

export function printProfiles(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.cpuprofile')) printProfile(join(directory, name));
  }
}
