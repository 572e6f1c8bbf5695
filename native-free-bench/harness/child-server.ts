/* A server under measurement as a process of its own: started with its output kept in a file,
 * awaited until it answers, stopped or killed for sure, whatever the run comes to. */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const STOP_TIMEOUT_MS = 30_000; // a clean stop that takes longer is a failure
const READY_POLL_MS = 15;
const LOG_TAIL_CHARS = 2_000;

export interface ServerCommand {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly directory: string;
  readonly logFile: string;
  /** Runs the server as this user: some refuse to run as root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly stopSignal?: NodeJS.Signals | undefined;
}

/** This process's, without what would have every Node process read certificates as it starts, which
 *  no server here has a use for. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...rest } = process.env;
  return rest;
}

const running = new Set<ChildServer>();
process.on('exit', () => {
  for (const server of running) server.killNow();
});

export class ChildServer {
  readonly #child: ChildProcess;
  readonly #command: ServerCommand;
  readonly #exited: Promise<void>;
  #hasExited = false;

  constructor(command: ServerCommand) {
    this.#command = command;
    const log = openSync(command.logFile, 'a');
    this.#child = spawn(command.command, command.arguments, {
      cwd: command.directory,
      env: { ...environment(), ...command.environment },
      stdio: ['ignore', log, log],
      detached: true, // a group of its own: what it starts is ended with it
      ...command.user,
    });
    closeSync(log);
    running.add(this);
    this.#exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', () => resolve());
    });
    this.#exited.catch(() => undefined).finally(() => this.#forget());
  }

  get pid(): number {
    return this.#child.pid!;
  }

  #forget(): void {
    this.killNow(); // Whatever it has started and left behind.
    this.#hasExited = true;
    running.delete(this);
  }

  /** Resolves once `isReady` does with true; rejects if the process ends first, or is late. */
  async ready(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const timeout = new AbortController();
    const late = sleep(timeoutMs, 'late', { signal: timeout.signal }).catch(() => 'in time');
    for (let answer: unknown = false; answer !== true; ) {
      if (this.#hasExited) throw this.#failure('ended before it answered');
      // A server may also take a connection and then say nothing.
      answer = await Promise.race([isReady(), late]);
      if (answer === 'late') throw this.#failure('did not answer in time');
      if (answer !== true) await sleep(READY_POLL_MS);
    }
    timeout.abort();
  }

  /** Ends what is of no use, and says why. */
  #failure(what: string): Error {
    this.killNow();
    const { command, logFile } = this.#command;
    return new Error(
      `${command} ${what}:\n${readFileSync(logFile, 'utf8').slice(-LOG_TAIL_CHARS)}`,
    );
  }

  /** A clean stop. Rejects if the process does not end by itself. */
  async stop(): Promise<void> {
    if (this.#hasExited) return;
    this.#child.kill(this.#command.stopSignal ?? 'SIGTERM');
    const timeout = new AbortController();
    const late = sleep(STOP_TIMEOUT_MS, 'late', { signal: timeout.signal }).catch(() => 'ended');
    const first = await Promise.race([this.#exited, late]);
    timeout.abort();
    if (first !== 'late') return;
    await this.kill();
    throw this.#failure(`did not stop within ${STOP_TIMEOUT_MS} ms`);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.killNow();
    await this.#exited;
  }

  killNow(): void {
    const { pid } = this.#child;
    if (this.#hasExited || pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.#child.kill('SIGKILL'); // No groups on this system, or it has just ended.
    }
  }
}

/** A TCP port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
