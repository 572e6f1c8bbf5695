/* CPU time and memory of other processes, from /proc. Where there is no /proc the figures are
 * undefined and the report leaves them out. */

import { readdirSync, readFileSync } from 'node:fs';

const TICK_US = 10_000; // one clock tick of /proc: 1/100 s on every Linux of today
const KIB = 1024;

interface ProcessLine {
  readonly parent: number;
  readonly cpuTicks: number;
}

/** The line of /proc/<pid>/stat; undefined once the process is gone. */
function processLine(pid: number): ProcessLine | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // It ended between the listing and the reading.
  }
  // The command stands in parentheses and may hold anything; the fields count from behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = [11, 12, 13, 14].map((field) => Number(fields[field])); // with waited-for children
  return { parent: Number(fields[1]), cpuTicks: ticks.reduce((sum, n) => sum + n) };
}

/** The process and all that descend from it: a server may be several processes. */
function processTree(root: number): ReadonlyMap<number, ProcessLine> {
  const lines = new Map<number, ProcessLine>();
  for (const name of readdirSync('/proc')) {
    const line = /^\d+$/.test(name) ? processLine(Number(name)) : undefined;
    if (line !== undefined) lines.set(Number(name), line);
  }
  const descends = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined; at = lines.get(at)?.parent) {
      if (at === root) return true;
    }
    return false;
  };
  return new Map([...lines].filter(([pid]) => descends(pid)));
}

/** CPU time, user and system, of the process and its descendants so far. */
export function cpuTimeUs(root: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  let ticks = 0;
  for (const { cpuTicks } of processTree(root).values()) ticks += cpuTicks;
  return ticks * TICK_US;
}

function residentKib(pid: number): number {
  try {
    // Proportional set size: pages that several processes share are counted once in total.
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0; // It has just ended, and holds nothing.
  }
}

/** Memory in use by the process and its descendants. */
export function residentBytes(root: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  let kib = 0;
  for (const pid of processTree(root).keys()) kib += residentKib(pid);
  return kib * KIB;
}

/** Of an own measurement: the difference, where both ends are known. */
export function usedSince(start: number | undefined, end: number | undefined): number | undefined {
  return start === undefined || end === undefined ? undefined : end - start;
}
