/* The profiles that `node --cpu-prof` leaves, one file a thread, and their samples within a
 * measured time. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProfileNode } from './areas.ts';
import { moduleOf } from './bundles.ts';

export const SAMPLING_US = 200;

/** One measurement, of one process. */
export interface Profiled {
  readonly scenario: string;
  readonly name: string;
  readonly pid: number;
  /** By the clock of the system, as profiles have it. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly messages: number;
}

export interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface StoredNode extends ProfileNode {
  readonly callFrame: ProfileNode['callFrame'] & { lineNumber: number; columnNumber: number };
}

type StoredProfile = Omit<Profile, 'nodes'> & { readonly nodes: readonly StoredNode[] };

/** Arguments for node: profiles of all its threads go into `directory`. */
export function profilingArguments(directory: string): readonly string[] {
  const sampling = ['--cpu-prof-interval', String(SAMPLING_US)];
  return ['--cpu-prof', '--cpu-prof-dir', directory, ...sampling];
}

/** By Node's numbers of the threads of one process. */
export function readProfiles(directory: string, pid: number): ReadonlyMap<number, Profile> {
  const profiles = new Map<number, Profile>();
  if (!existsSync(directory)) return profiles;
  for (const name of readdirSync(directory)) {
    // CPU.<date>.<time>.<process>.<thread>.<sequence>.cpuprofile
    const found = /\.(\d+)\.(\d+)\.\d+\.cpuprofile$/.exec(name);
    if (Number(found?.[1]) !== pid) continue;
    const text = readFileSync(join(directory, name), 'utf8');
    profiles.set(Number(found![2]), unbundled(JSON.parse(text) as StoredProfile));
  }
  return profiles;
}

function unbundled({ nodes, ...profile }: StoredProfile): Profile {
  return {
    ...profile,
    nodes: nodes.map(({ callFrame, ...node }) => {
      const { functionName, url, lineNumber, columnNumber } = callFrame;
      return { ...node, callFrame: { functionName, url: moduleOf(url, lineNumber, columnNumber) } };
    }),
  };
}

/** Calls `take` with every sample of the measured time, and how long it stands for. */
export function eachSample(
  { nodes, startTime, samples, timeDeltas }: Profile,
  { fromUs, toUs }: Pick<Profiled, 'fromUs' | 'toUs'>,
  take: (node: ProfileNode, us: number) => void,
): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  let at = startTime;
  samples.forEach((id, i) => {
    const us = timeDeltas[i]!;
    at += us;
    if (at >= fromUs && at <= toUs) take(byId.get(id)!, us);
  });
}

/** Sums by key. */
export class Sums {
  readonly #sums = new Map<string, number>();

  add(key: string, us: number): void {
    this.#sums.set(key, (this.#sums.get(key) ?? 0) + us);
  }

  get(key: string): number {
    return this.#sums.get(key) ?? 0;
  }

  get total(): number {
    return [...this.#sums.values()].reduce((sum, us) => sum + us, 0);
  }

  /** The greatest first. */
  sorted(): [key: string, us: number][] {
    return [...this.#sums].toSorted((a, b) => b[1] - a[1]);
  }
}
