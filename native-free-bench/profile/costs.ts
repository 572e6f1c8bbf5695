/* What a message costs, line by line. The CPU time of every thread is the kernel's figure, from a
 * run without a profiler; how it divides comes from the profiles of a second, slower run. What no
 * profile can see (the way into a sleep and out of it, the kernel's part of a sync, the threads of
 * the engine) is the difference, and a line like the others: the lines of a path add up to the CPU
 * time of its process.
 *
 * A sample stands for the time since the one before it, which on a busy machine has the time in it
 * for which other threads ran: at most the usual time between two samples counts as work. Where
 * that makes too little of it, the kernel knows better: a thread in user mode is not asleep. And to
 * take a sample costs its thread something, the more so when it has to wake for it; a thread that
 * has nothing else to do tells how much. */

import { medianOf } from '../harness/median.ts';
import {
  ASLEEP,
  areasOf,
  HELPER_THREADS,
  NATIVE,
  OTHER,
  SYNC,
  THREAD_NAMES,
  threadNameOf,
} from './areas.ts';
import { type ClassTime, type NotedThread, type ThreadTimes, timesByClass } from './threads.ts';
import { eachSample, type Profile, type Profiled, Sums } from './v8-profile.ts';

const SHARE_TOLD_MIN = 0.01; // of its thread; what is less is among the others
const SAMPLES_MIN = 100; // of a thread that is to tell what a sample costs

export interface CostLine {
  readonly thread: string;
  readonly area: string;
  readonly usPerMessage: number;
}

export interface ThreadCost {
  readonly thread: string;
  /** How many of the kind. */
  readonly threads: number;
  readonly usPerMessage: number;
  /** Of it, in the kernel. */
  readonly kernelUsPerMessage: number;
  /** Share of a core that each of them had. */
  readonly cores: number;
}

export interface PathCost {
  readonly path: string;
  readonly messagesPerSecond: number;
  readonly usPerMessage: number;
  /** Of the process that sent and received, where that is another. */
  readonly loadUsPerMessage?: number | undefined;
  readonly threads: readonly ThreadCost[];
  /** By thread, the greatest first; together all of the process. */
  readonly lines: readonly CostLine[];
}

/** One run of a path. */
export interface CostRun extends Profiled {
  readonly threads: ThreadTimes;
  readonly notes: readonly NotedThread[];
  readonly loadUsPerMessage?: number | undefined;
}

/** What the difference of a kind of thread is; of others, it sleeps and wakes. */
const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['sync', 'fdatasync, and the word of it (kernel)'],
  ['maintenance', 'spare segments, cleaning'],
  [HELPER_THREADS, 'collector and compiler threads'],
]);
const ASLEEP_AND_AWAKE = 'sleep and wake: kernel, unseen by the profiler';
/** Whose work is one thing to a reader. */
const UNDIVIDED: ReadonlySet<string> = new Set(['sync', 'maintenance', HELPER_THREADS]);
const RECEIVE = 'receive: kernel, framing in uWebSockets.js';

/** What the profiles tell of one kind of thread. */
interface Seen {
  /** Time at work by area. */
  readonly areas: Sums;
  /** All that its threads ran, but for the taking of samples. */
  runUs: number;
}

interface ThreadSamples {
  readonly thread: string;
  readonly areas: Sums;
  readonly samples: number;
  readonly runUs: number;
}

function samplesOf(run: CostRun, noted: NotedThread, profile: Profile): ThreadSamples {
  const thread = threadNameOf([noted.entry]);
  const areaByNode = areasOf(profile.nodes);
  const deltas: number[] = [];
  eachSample(profile, run, (_, us) => deltas.push(us));
  const usual = medianOf(deltas, (us) => us) ?? 0;
  const areas = new Sums();
  eachSample(profile, run, ({ id }, us) => {
    const area = areaByNode.get(id) ?? OTHER;
    if (area === ASLEEP || area === SYNC) return;
    const isReceive = area === NATIVE && thread === 'doors';
    areas.add(isReceive ? RECEIVE : area, Math.min(us, usual));
  });
  const runUs = run.threads.get(noted.systemId)?.runUs ?? 0;
  return { thread, areas, samples: deltas.length, runUs };
}

function seenByThread(
  run: CostRun,
  profiles: ReadonlyMap<number, Profile>,
): ReadonlyMap<string, Seen> {
  const all = run.notes.flatMap((noted) => {
    const profile = profiles.get(noted.threadId);
    return profile === undefined ? [] : [samplesOf(run, noted, profile)];
  });
  const costs = all
    .filter(({ samples }) => samples >= SAMPLES_MIN)
    .map(({ runUs, samples }) => runUs / samples);
  const sampleUs = costs.length === 0 ? 0 : Math.min(...costs);
  const seen = new Map<string, Seen>();
  for (const { thread, areas, samples, runUs } of all) {
    const sum = seen.get(thread) ?? { areas: new Sums(), runUs: 0 };
    seen.set(thread, sum);
    for (const [area, us] of areas.sorted()) sum.areas.add(area, us);
    sum.runUs += runUs - samples * sampleUs;
  }
  return seen;
}

/** The lines of one kind of thread: together its cost. */
function linesOf(cost: ThreadCost, seen: Seen | undefined): CostLine[] {
  const { thread, usPerMessage, kernelUsPerMessage } = cost;
  const rest = DIFFERENCES.get(thread) ?? ASLEEP_AND_AWAKE;
  if (seen === undefined || seen.areas.total === 0 || UNDIVIDED.has(thread)) {
    return [{ thread, area: rest, usPerMessage }];
  }
  const { areas, runUs } = seen;
  const inUserMode = 1 - kernelUsPerMessage / usPerMessage;
  const atWork = Math.min(1, Math.max(areas.total / Math.max(areas.total, runUs), inUserMode));
  const shares = new Sums();
  const add = (area: string, share: number): void =>
    shares.add(share < SHARE_TOLD_MIN ? OTHER : area, share);
  for (const [area, us] of areas.sorted()) add(area, (atWork * us) / areas.total);
  add(rest, 1 - atWork);
  return shares
    .sorted()
    .filter(([, share]) => share > 0)
    .map(([area, share]) => ({ thread, area, usPerMessage: usPerMessage * share }));
}

function threadCost(thread: string, time: ClassTime, run: CostRun): ThreadCost {
  return {
    thread,
    threads: time.threads,
    usPerMessage: time.runUs / run.messages,
    kernelUsPerMessage: time.kernelUs / run.messages,
    cores: time.runUs / (run.toUs - run.fromUs) / time.threads,
  };
}

/** @param plain says how much, @param profiled of what. */
export function costOf(
  path: string,
  plain: CostRun,
  profiled: CostRun,
  profiles: ReadonlyMap<number, Profile>,
): PathCost {
  const times = timesByClass(plain.threads, plain.notes);
  const seen = seenByThread(profiled, profiles);
  const threads = THREAD_NAMES.flatMap((name) => {
    const time = times.get(name);
    return time === undefined ? [] : [threadCost(name, time, plain)];
  });
  return {
    path,
    messagesPerSecond: plain.messages / ((plain.toUs - plain.fromUs) / 1e6),
    usPerMessage: threads.reduce((sum, { usPerMessage }) => sum + usPerMessage, 0),
    loadUsPerMessage: plain.loadUsPerMessage,
    threads,
    lines: threads.flatMap((cost) => linesOf(cost, seen.get(cost.thread))),
  };
}

/** The areas of a path over all threads, the greatest first. */
export function byArea({ lines }: PathCost): readonly [area: string, usPerMessage: number][] {
  const sums = new Sums();
  for (const { area, usPerMessage } of lines) sums.add(area, usPerMessage);
  return sums.sorted();
}
