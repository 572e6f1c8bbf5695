/* Measures what a message costs on each path: once as it is, once under the profiler. Comes after
 * everything that is timed. */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Bench, type BenchOptions } from '../harness/bench.ts';
import type { Failure } from '../harness/rows.ts';
import { type CostRun, costOf, type PathCost } from './costs.ts';
import type { CostPath } from './paths.ts';
import { readNotes } from './threads.ts';
import { type Profile, readProfiles } from './v8-profile.ts';

const SCENARIO = 'costs';

interface Run extends CostRun {
  readonly profiles: ReadonlyMap<number, Profile>;
}

/** Throws what the path's run fails with. */
async function runOnce(path: CostPath, options: BenchOptions, profiled: boolean): Promise<Run> {
  const folder = mkdtempSync(join(options.scratch, 'profile-'));
  const notesDirectory = join(folder, 'threads');
  const profileDirectory = profiled ? folder : undefined;
  try {
    const bench = new Bench(SCENARIO, { ...options, notesDirectory, profileDirectory });
    const { loadCpuUsPerMessage } = await path.run(bench);
    const record = bench.loads.at(-1)!;
    return {
      ...record,
      loadUsPerMessage: loadCpuUsPerMessage, // undefined where the host program is the load
      notes: readNotes(notesDirectory, record.pid),
      profiles: readProfiles(join(folder, SCENARIO), record.pid),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface MeasuredCosts {
  readonly paths: readonly PathCost[];
  readonly failures: readonly Failure[];
}

/** A path that fails is told, and the others go on. */
export async function measureCosts(
  paths: readonly CostPath[],
  options: BenchOptions,
): Promise<MeasuredCosts> {
  const costs: PathCost[] = [];
  const failures: Failure[] = [];
  for (const path of paths) {
    const guard = new Bench(SCENARIO, options);
    await guard.attempt(path.name, async () => {
      const plain = await runOnce(path, options, false);
      const profiled = await runOnce(path, options, true);
      costs.push(costOf(path.name, plain, profiled, profiled.profiles));
    });
    failures.push(...guard.failures);
  }
  return { paths: costs, failures };
}
