/* What is done to a server while clients use it: the table of the torture. Each ends with a server
 * that could be whole again. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../support/built.ts';
import { hasCompiler } from './faulty-disk.ts';
import type { Rig, RigOptions } from './rig.ts';

export interface Fault {
  readonly name: string;
  /** One sentence for the report. */
  readonly how: string;
  /** Whether "one holder at a time" is still promised. */
  readonly exclusive: boolean;
  /** Undefined: it can be done here. Else why not. */
  readonly missing?: () => string | undefined;
  /** What the rig needs for it. */
  readonly needs: (folder: string) => Partial<RigOptions>;
  inflict(rig: Rig, folder: string): Promise<void>;
  /** The kind of queue that the suite does it to; else they take turns. */
  readonly suiteQueue?: 'FIFO';
  /** Why the suite leaves it to the long run. */
  readonly onDemand?: string;
  /** What the server's log says once for each time that it was done, where asking is not enough. */
  readonly logged?: RegExp;
}

const NOTHING = () => ({});
const A_DISK = () => ({ disk: true });
const noCompiler = () => (hasCompiler() ? undefined : 'no gcc here');

const FAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
];

/** A server whose threads fail in these ways, each in turn, when it gets SIGUSR2. */
function failingThreads(...kinds: readonly string[]): () => Partial<RigOptions> {
  const preload = pathToFileURL(path.join(ROOT, 'test/torture/thread-faults.mjs')).href;
  const env = { CAPSTAN_TORTURE_FAULTS: kinds.join(',') };
  return () => ({ nodeArgs: ['--import', preload], env });
}

async function failThread(rig: Rig): Promise<void> {
  rig.server.signal('SIGUSR2');
  await sleep(rig.random.below(500));
}

/** The thread takes the process with it. */
async function failProcess(rig: Rig): Promise<void> {
  rig.server.signal('SIGUSR2');
  await rig.server.exited();
  await rig.server.start();
}

/** Kills a process and waits for it: restarts come with the next look at its health. */
async function restartAfterCut(rig: Rig): Promise<void> {
  await rig.server.exited();
  rig.disk.repair();
  await rig.server.start();
}

function clockFile(folder: string): string {
  return path.join(folder, 'clock');
}

/** Less than the deduplication window together, should one send be retried across two of them. */
const FORWARD_SECONDS = 120;
/** What is in flight stays so for as much longer. */
const BACK_SECONDS = 5;

/** The wall clock is `seconds` off from now on. A server that runs does not look at it again; one
 *  that starts does. */
async function restartAt(rig: Rig, folder: string, seconds: number): Promise<void> {
  writeFileSync(clockFile(folder), `+${seconds}\n`);
  await sleep(rig.random.below(300));
  await rig.server.restart();
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'kill -9',
    how: 'SIGKILL to the server at a random moment, then a start',
    exclusive: true,
    needs: NOTHING,
    inflict: (rig) => rig.server.restart(),
  },
  {
    name: 'kill -9 while starting',
    how: 'SIGKILL, a start, and SIGKILL again before it is ready',
    exclusive: true,
    needs: NOTHING,
    inflict: async (rig) => {
      await rig.server.kill();
      const starting = rig.server.start().catch(() => undefined);
      await sleep(rig.random.below(600));
      await rig.server.kill();
      await starting;
      await rig.server.start();
    },
  },
  {
    name: 'partition fails',
    how: 'a partition thread throws, exits or hangs, each in turn',
    exclusive: true,
    needs: failingThreads('throw', 'exit', 'hang'),
    inflict: failThread,
    logged: /partition \d+ was made to /g,
    onDemand: 'the suite does it to an embedded broker',
  },
  {
    name: 'partition out of memory',
    how: 'a partition thread with a heap of 64 MiB fills it',
    exclusive: true,
    needs: failingThreads('out of memory'),
    inflict: failThread,
    logged: /ERR_WORKER_OUT_OF_MEMORY.*"partition ended"/g,
  },
  {
    name: 'suspended',
    how: 'SIGSTOP, up to three seconds, SIGCONT',
    exclusive: true,
    needs: NOTHING,
    inflict: async (rig) => {
      rig.server.signal('SIGSTOP');
      await sleep(rig.random.below(3000));
      rig.server.signal('SIGCONT');
    },
  },
  {
    name: 'sync fails',
    how: 'fdatasync returns EIO (LD_PRELOAD)',
    exclusive: true,
    missing: noCompiler,
    needs: A_DISK,
    inflict: async (rig) => {
      rig.disk.failSyncs(1 + rig.random.below(2));
      await sleep(rig.random.below(500));
    },
  },
  {
    name: 'write fails',
    how: 'write returns EIO (LD_PRELOAD)',
    exclusive: true,
    missing: noCompiler,
    needs: A_DISK,
    inflict: async (rig) => {
      rig.disk.failWrites(1 + rig.random.below(2), 'EIO');
      await sleep(rig.random.below(500));
    },
  },
  {
    name: 'write is short',
    how: 'write takes half of its bytes (LD_PRELOAD)',
    exclusive: true,
    missing: noCompiler,
    needs: A_DISK,
    inflict: async (rig) => {
      rig.disk.shortWrites(1 + rig.random.below(5));
      await sleep(rig.random.below(500));
    },
  },
  {
    name: 'no space',
    how: 'every write returns ENOSPC for up to two seconds (LD_PRELOAD)',
    exclusive: true,
    missing: noCompiler,
    needs: A_DISK,
    inflict: async (rig) => {
      rig.disk.failWrites(1_000_000, 'ENOSPC');
      await sleep(rig.random.below(2000));
      rig.disk.repair();
    },
  },
  {
    name: 'disk is slow',
    how: 'one fdatasync takes eight seconds (LD_PRELOAD): longer than the heartbeat allows',
    exclusive: true,
    missing: noCompiler,
    needs: A_DISK,
    inflict: async (rig) => {
      rig.disk.slowSyncs(1, 8000);
      await sleep(9000);
    },
  },
  {
    name: 'power cut',
    how: 'unsynced writes and names are put back, whole or by sector, then SIGKILL (LD_PRELOAD)',
    exclusive: false,
    missing: noCompiler,
    needs: A_DISK,
    inflict: async (rig) => {
      rig.disk.cutPower(rig.random.word());
      await restartAfterCut(rig);
    },
  },
  {
    name: 'clock jumps',
    how: 'the wall clock jumps forward, and back (libfaketime); SIGKILL and a start after each',
    exclusive: false,
    missing: () => (FAKETIME.some((each) => existsSync(each)) ? undefined : 'no libfaketime here'),
    needs: (folder) => {
      writeFileSync(clockFile(folder), '+0\n');
      return {
        env: {
          LD_PRELOAD: FAKETIME.find((each) => existsSync(each)) ?? '',
          FAKETIME_TIMESTAMP_FILE: clockFile(folder),
          FAKETIME_NO_CACHE: '1',
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
        },
      };
    },
    inflict: async (rig, folder) => {
      const seconds = Number(readFileSync(clockFile(folder), 'utf8'));
      await restartAt(rig, folder, seconds + FORWARD_SECONDS);
      await sleep(rig.random.below(500));
      await restartAt(rig, folder, seconds + FORWARD_SECONDS - BACK_SECONDS);
    },
  },
  {
    name: 'door fails',
    how: 'a door thread breaks an invariant, closes and is started anew',
    exclusive: true,
    needs: failingThreads('door breaks an invariant'),
    inflict: failThread,
    logged: /"a door thread ended; it is started anew"/g,
  },
  {
    name: 'door hangs',
    how: 'a door thread loops for ever, in the middle of a request if it has one',
    exclusive: true,
    needs: failingThreads('door hangs'),
    inflict: failThread,
    logged: /"a door thread ended; it is started anew"/g,
    onDemand: 'test/crash/door-hung.test.ts has it in less time',
  },
  {
    name: 'partitions and process fail',
    how: 'partition threads throw, exit or hang, up to three at once; or that, then SIGKILL',
    exclusive: true,
    suiteQueue: 'FIFO',
    needs: failingThreads('throw', 'exit', 'hang'),
    inflict: async (rig) => {
      for (let left = 1 + rig.random.below(3); left > 0; left--) {
        rig.server.signal('SIGUSR2');
        await sleep(rig.random.below(150));
      }
      // In the middle of their restarts.
      if (rig.random.oneIn(2)) await rig.server.restart();
    },
  },
  {
    name: 'door out of memory',
    how: 'a door thread with a heap of 64 MiB fills it, which ends the process; then a start',
    exclusive: true,
    needs: failingThreads('door out of memory'),
    onDemand: 'it aborts, and so may leave a core file',
    inflict: failProcess,
  },
  {
    name: 'door hangs in native code',
    how: 'a door thread waits in a system call, and cannot be interrupted: the process ends',
    exclusive: true,
    needs: failingThreads('door hangs in native code'),
    onDemand: 'it takes long to notice',
    inflict: failProcess,
  },
];

/** Whether this machine lets us mount a small file system. */
export function canMount(): boolean {
  return (
    process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('mount').status === 0
  );
}
