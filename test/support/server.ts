/* The built server as a process of its own, for tests that kill it: on a free port, over a data
 * folder that goes with it. Needs `npm run build` first, as every test of the whole does. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from './built.ts';
import { reap } from './reaper.ts';

const ENTRY = path.join(ROOT, 'dist/bundle/main.js');
/** Not bundled: what is preloaded shares its modules. */
const OPEN_ENTRY = path.join(ROOT, 'dist/main.js');
/** Only a server that will never be ready takes so long. */
const READY_PATIENCE_MS = 60_000;
const READY_LOOK_MS = 10;
/** Of a new folder, unless a test says otherwise: the same on every machine, and with crossings. */
const PARTITIONS = { CAPSTAN_PARTITIONS: '2' };

export interface TestServerOptions {
  /** More of the command line: `['--partitions', '2']`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** An existing data folder, which then stays; by default a new one that goes at `close`. */
  readonly data?: string;
  /** What precedes the server's file on Node's command line. */
  readonly nodeArgs?: readonly string[];
  /** By default one that is free. */
  readonly port?: number;
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A port that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = probe.address();
      probe.close(() => resolve((address as { port: number }).port));
    });
  });
}

/** Servers that run; none outlives the tests, however those end. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class TestServer implements AsyncDisposable {
  readonly port: number;
  readonly data: string;
  readonly #options: TestServerOptions;
  #child: ChildProcess | undefined;
  #exit: Promise<ServerExit> | undefined;
  #stdout = '';
  #stderr = '';

  /** Starts a server; resolves when every partition of it runs. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options, options.port ?? (await freePort()));
    await server.start();
    return server;
  }

  private constructor(options: TestServerOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.data = options.data ?? mkdtempSync(path.join(tmpdir(), 'capstan-test-'));
  }

  /** `http://127.0.0.1:PORT` */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What it wrote to stdout, over all its lives. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Its log, over all its lives. */
  get log(): string {
    return this.#stderr;
  }

  /** The lines of its log, as the objects they are. */
  get logLines(): Record<string, unknown>[] {
    return this.#stderr
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the server does not run');
    return pid;
  }

  /** Starts it again after it ended, on the same port and folder. */
  async start(): Promise<void> {
    const { args = [], env = {}, nodeArgs = [] } = this.#options;
    const place = ['--port', String(this.port), '--host', '127.0.0.1', '--data', this.data];
    const partitions = this.#options.data === undefined ? PARTITIONS : {};
    const entry = nodeArgs.includes('--import') ? OPEN_ENTRY : ENTRY;
    const child = spawn(process.execPath, [...nodeArgs, entry, 'serve', ...place, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...partitions, ...env },
    });
    this.#child = child;
    running.add(child);
    reap(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // `close` comes after the last of its output, unlike `exit`.
    this.#exit = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(child);
        this.#child = undefined;
        resolve({ code, signal });
      });
    });
    await this.#ready(this.#exit);
  }

  async #ready(exit: Promise<ServerExit>): Promise<void> {
    let ended: ServerExit | undefined;
    void exit.then((how) => {
      ended = how;
    });
    const until = performance.now() + READY_PATIENCE_MS;
    while (performance.now() < until) {
      if (await isHealthy(this.url)) return;
      if (ended !== undefined) {
        const how = `code ${ended.code}, signal ${ended.signal}`;
        throw new Error(`the server ended (${how}):\n${this.#stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, READY_LOOK_MS));
    }
    throw new Error(`the server is not ready after ${READY_PATIENCE_MS} ms:\n${this.#stderr}`);
  }

  /** Resolves when the process has ended and its last output is here. */
  async exited(): Promise<ServerExit> {
    if (this.#exit === undefined) throw new Error('the server was never started');
    return await this.#exit;
  }

  /** Sends a signal, and does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** SIGKILL: as good as a power cut, to everything but the kernel's cache. */
  async kill(): Promise<ServerExit> {
    this.signal('SIGKILL');
    return await this.exited();
  }

  /** SIGTERM; resolves with the exit code of a clean stop, which is 0. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return (await this.exited()).code;
  }

  /** Kills it and starts it again, on the same port and folder. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Ends it, and removes its data folder unless that was given. */
  async close(): Promise<void> {
    if (this.#child !== undefined) await this.kill();
    if (this.#options.data === undefined) rmSync(this.data, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/healthz`);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    // It does not listen yet.
    return false;
  }
}
