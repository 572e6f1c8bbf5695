/* Who a process is, so that another one can tell later whether it still runs, although its id may
 * have been given to a new process meanwhile. Cold; any thread. */

import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in whatever way the system tells; equal for the same process. */
  readonly startedAt: string;
  /** The machine. */
  readonly host: string;
  /** This start of the machine; empty where the system does not tell. */
  readonly boot: string;
  /** What `pid` counts in: a container has its own. Empty where there is no such thing. */
  readonly namespace: string;
}

/** `elsewhere`: its process id means nothing here. */
export type ProcessState = 'runs' | 'ended' | 'elsewhere';

export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid);
}

/** Of a process of this machine. */
export function identityOf(pid: number): ProcessIdentity {
  return {
    pid,
    startedAt: startOf(pid) ?? '',
    host: hostname(),
    boot: onLinux(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()) ?? '',
    namespace: onLinux(() => readlinkSync('/proc/self/ns/pid')) ?? '',
  };
}

export function stateOf(identity: ProcessIdentity, own = ownIdentity()): ProcessState {
  if (identity.host !== own.host) return 'elsewhere';
  if (identity.boot !== own.boot) return 'ended';
  if (identity.namespace !== own.namespace) return 'elsewhere';
  const startedAt = startOf(identity.pid);
  return startedAt !== undefined && startedAt === identity.startedAt ? 'runs' : 'ended';
}

/** Undefined when there is no such process. */
function startOf(pid: number): string | undefined {
  if (!exists(pid)) return undefined;
  return (
    onLinux(() => startTicks(readFileSync(`/proc/${pid}/stat`, 'latin1'))) ??
    onDarwin(() =>
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)])
        .toString()
        .trim(),
    ) ??
    'unknown'
  );
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user's exists as well.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Of `/proc/PID/stat`, field 22; or `ended` when field 3 says that the process only waits for
 *  its parent to take note. Field 2 is a name that may hold anything, in brackets. */
function startTicks(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'ended' : fields[22 - 3];
}

function onLinux<T>(look: () => T): T | undefined {
  return process.platform === 'linux' ? orUndefined(look) : undefined;
}

function onDarwin<T>(look: () => T): T | undefined {
  return process.platform === 'darwin' ? orUndefined(look) : undefined;
}

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined; // The system does not tell, or the process has just ended.
  }
}
