/* CPU time by thread, from /proc, and which thread of the system is which of Node's. */

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HELPER_THREADS, threadNameOf } from './areas.ts';

const TICK_US = 10_000; // one clock tick of /proc: 1/100 s on every Linux of today

/** So far, or within a measured time. */
export interface ThreadTime {
  readonly runUs: number;
  /** In ticks; only their proportion counts. */
  readonly userTicks: number;
  readonly kernelTicks: number;
}

export type ThreadTimes = ReadonlyMap<number, ThreadTime>;

function threadTime(folder: string): ThreadTime | undefined {
  try {
    const text = readFileSync(`${folder}/stat`, 'latin1');
    // The name stands in parentheses and may hold anything; the fields count from behind it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [userTicks, kernelTicks] = [Number(fields[11]), Number(fields[12])];
    return { runUs: (userTicks + kernelTicks) * TICK_US, userTicks, kernelTicks };
  } catch {
    return undefined; // It ended between the listing and the reading.
  }
}

/** Nanoseconds where the kernel counts them; else ticks. */
function preciseRunUs(folder: string): number | undefined {
  try {
    return Number(readFileSync(`${folder}/schedstat`, 'latin1').split(' ')[0]) / 1000;
  } catch {
    return undefined; // A kernel without these statistics, or the thread has ended.
  }
}

/** Of all threads of a process, by the system's numbers; none where there is no /proc. */
export function threadTimes(pid: number): ThreadTimes {
  const times = new Map<number, ThreadTime>();
  if (process.platform !== 'linux') return times;
  const tasks = `/proc/${pid}/task`;
  for (const name of readdirSync(tasks)) {
    const folder = `${tasks}/${name}`;
    const time = threadTime(folder);
    if (time === undefined) continue;
    times.set(Number(name), { ...time, runUs: preciseRunUs(folder) ?? time.runUs });
  }
  return times;
}

/** Of the threads that are there in the end, what they used between the two. */
export function timesBetween(start: ThreadTimes, end: ThreadTimes): ThreadTimes {
  return new Map(
    [...end].map(([id, { runUs, userTicks, kernelTicks }]) => {
      const before = start.get(id);
      return [
        id,
        {
          runUs: runUs - (before?.runUs ?? 0),
          userTicks: userTicks - (before?.userTicks ?? 0),
          kernelTicks: kernelTicks - (before?.kernelTicks ?? 0),
        },
      ];
    }),
  );
}

/** Arguments for node: its threads note what they are. */
export function notingArguments(directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true });
  const module = new URL('./thread-note.js', import.meta.url);
  module.searchParams.set('folder', directory);
  return ['--import', module.href];
}

export interface NotedThread {
  readonly systemId: number;
  /** Node's number. */
  readonly threadId: number;
  /** The file that it began with. */
  readonly entry: string;
}

/** What the threads of a process have noted. */
export function readNotes(directory: string, pid: number): readonly NotedThread[] {
  return readFileSync(join(directory, String(pid)), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [systemId, threadId, ...entry] = line.split(' ');
      return { systemId: Number(systemId), threadId: Number(threadId), entry: entry.join(' ') };
    });
}

export interface ClassTime {
  /** How many threads of the kind ran. */
  readonly threads: number;
  readonly runUs: number;
  readonly kernelUs: number;
}

/** By what the threads are for. */
export function timesByClass(
  times: ThreadTimes,
  notes: readonly NotedThread[],
): ReadonlyMap<string, ClassTime> {
  const names = new Map(notes.map(({ systemId, entry }) => [systemId, threadNameOf([entry])]));
  const groups = new Map<string, ThreadTime[]>();
  for (const [id, time] of times) {
    if (time.runUs === 0) continue;
    const name = names.get(id) ?? HELPER_THREADS;
    groups.set(name, [...(groups.get(name) ?? []), time]);
  }
  const sum = (all: readonly ThreadTime[], of: (time: ThreadTime) => number): number =>
    all.reduce((total, time) => total + of(time), 0);
  return new Map(
    [...groups].map(([name, all]) => {
      const runUs = sum(all, (time) => time.runUs);
      const kernel = sum(all, (time) => time.kernelTicks);
      const ticks = kernel + sum(all, (time) => time.userTicks);
      return [name, { threads: all.length, runUs, kernelUs: ticks ? (runUs * kernel) / ticks : 0 }];
    }),
  );
}
