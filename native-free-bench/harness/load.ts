/* Runs a load in processes of its own, apart from the server and from the harness, and joins what
 * they report. Whether the counts balance is checked here, for every run. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoadName, LoadParameters } from '../loads/loads.ts';
import { type ThreadTimes, threadTimes, timesBetween } from '../profile/threads.ts';
import { type Histogram, type HistogramSnapshot, mergedHistogram } from './histogram.ts';
import { imbalanceOf, type LedgerSnapshot, mergedLedger } from './ledger.ts';
import type { FromLoad, LoadOutcome, Measured, Point, ToLoad } from './load-contract.ts';
import { cpuTimeUs, usedSince } from './process-usage.ts';

/** A run whose messages do not add up: the only thing that fails a benchmark. */
export class WrongCountError extends Error {
  override readonly name = 'WrongCountError';
}

export interface LoadOptions {
  /** By default one. */
  readonly processes?: number | undefined;
  /** The server's process; undefined: there is none, the load process is the host. */
  readonly serverPid?: number | undefined;
  readonly nodeArguments?: readonly string[] | undefined;
  /** False: the load is but a part; the scenario balances the ledgers of all parts. */
  readonly balanced?: boolean | undefined;
  /** Whether the CPU time of the server is told by thread as well. */
  readonly countsThreads?: boolean | undefined;
  /** For all of it, from the start of the processes to their reports. */
  readonly timeoutMs?: number | undefined;
}

export interface LoadReport {
  readonly messages: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly loadCpuUsPerMessage: number;
  readonly serverCpuUsPerMessage: number | undefined;
  /** Share of one core, 1 = all of it. */
  readonly serverCores: number | undefined;
  readonly latencies: Readonly<Record<string, Histogram>>;
  readonly figures: Readonly<Record<string, number>>;
  readonly curve: readonly Point[];
  readonly ledger: LedgerSnapshot | undefined;
  /** The measured time, by the clock of the system. */
  readonly fromUs: number;
  readonly toUs: number;
  /** Of the server; where the load is its own server, of the load. */
  readonly pid: number;
  /** Within the measured time; none unless they are counted. */
  readonly threads: ThreadTimes;
}

interface Finished {
  readonly outcome: LoadOutcome;
  readonly measured: Measured;
}

const EXIT_TIMEOUT_MS = 10_000; // a process that is done writes its profile, and ends
const NO_TIMEOUT_MS = 2 ** 31 - 1;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Waits for each message type of one load process in its turn. */
class LoadProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<FromLoad['type'], (message: FromLoad) => void>();
  readonly #failed: Promise<never>;
  readonly #exited: Promise<void>;
  #fail: (error: Error) => void = () => undefined;

  constructor(nodeArguments: readonly string[]) {
    this.#child = fork(fileURLToPath(new URL('./load-process.js', import.meta.url)), {
      execArgv: [...nodeArguments],
    });
    alive.add(this.#child);
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
    });
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => {
        alive.delete(this.#child);
        reject(new Error(`A load process ended early: ${code ?? signal}`));
      });
      this.#child.on('message', (message: FromLoad) => {
        if (message.type === 'failed') reject(new Error(`A load failed: ${message.message}`));
        this.#waiting.get(message.type)?.(message);
      });
    });
    this.#failed.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  tell(message: ToLoad): void {
    this.#child.send(message);
  }

  next<T extends FromLoad['type']>(type: T): Promise<Extract<FromLoad, { type: T }>> {
    const told = new Promise<Extract<FromLoad, { type: T }>>((resolve) => {
      this.#waiting.set(type, (message) => resolve(message as Extract<FromLoad, { type: T }>));
    });
    return Promise.race([told, this.#failed]);
  }

  /** Whoever waits for it is told of the error. */
  fail(error: Error): void {
    this.#fail(error);
  }

  /** Resolves once the process has ended by itself, or was made to. */
  async end(patienceMs: number): Promise<void> {
    const timeout = setTimeout(() => this.#child.kill('SIGKILL'), patienceMs);
    await this.#exited;
    clearTimeout(timeout);
  }
}

function joinedLatencies(finished: readonly Finished[]): Record<string, Histogram> {
  const byName = new Map<string, HistogramSnapshot[]>();
  for (const { outcome } of finished) {
    for (const [name, snapshot] of Object.entries(outcome.latencies ?? {})) {
      byName.set(name, [...(byName.get(name) ?? []), snapshot]);
    }
  }
  return Object.fromEntries([...byName].map(([name, all]) => [name, mergedHistogram(all)]));
}

/** Throws unless the parts of a run together sent, received and deleted the same messages. */
export function requireBalance(name: string, parts: readonly LedgerSnapshot[]): void {
  const imbalance = imbalanceOf(mergedLedger(parts));
  if (imbalance !== undefined) throw new WrongCountError(`${name}: ${imbalance}`);
}

type Joined = Omit<LoadReport, 'fromUs' | 'toUs' | 'pid' | 'threads'>;

function joined(finished: readonly Finished[], serverCpuUs: number | undefined): Joined {
  const messages = finished.reduce((sum, { outcome }) => sum + outcome.messages, 0);
  const seconds = Math.max(...finished.map(({ measured }) => measured.seconds));
  const ledgers = finished.flatMap(({ outcome }) => outcome.ledger ?? []);
  const loadCpuUs = finished.reduce((sum, { measured }) => sum + measured.cpuUs, 0);
  return {
    messages,
    seconds,
    perSecond: messages / seconds,
    loadCpuUsPerMessage: loadCpuUs / messages,
    serverCpuUsPerMessage: serverCpuUs === undefined ? undefined : serverCpuUs / messages,
    serverCores: serverCpuUs === undefined ? undefined : serverCpuUs / 1e6 / seconds,
    latencies: joinedLatencies(finished),
    figures: Object.assign({}, ...finished.map(({ outcome }) => outcome.figures ?? {})),
    curve: finished.flatMap(({ outcome }) => outcome.curve ?? []),
    ledger: ledgers.length === 0 ? undefined : mergedLedger(ledgers),
  };
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

export async function runLoad<N extends LoadName>(
  load: N,
  parameters: LoadParameters<N>,
  options: LoadOptions = {},
): Promise<LoadReport> {
  const { processes = 1, serverPid, nodeArguments = [], balanced = true } = options;
  const { timeoutMs = NO_TIMEOUT_MS, countsThreads = false } = options;
  const children = Array.from({ length: processes }, () => new LoadProcess(nodeArguments));
  const timeout = setTimeout(() => {
    const error = new Error(`The load ${load} has not ended after ${timeoutMs} ms.`);
    for (const child of children) child.fail(error);
  }, timeoutMs);
  let exitTimeoutMs = 0;
  const serverCpu = (): number | undefined =>
    serverPid === undefined ? undefined : cpuTimeUs(serverPid);
  const pid = serverPid ?? children[0]!.pid;
  const threadsNow = (): ThreadTimes => (countsThreads ? threadTimes(pid) : new Map());
  try {
    const all = <T extends FromLoad['type']>(type: T) =>
      Promise.all(children.map((child) => child.next(type)));
    const [warm, ended, done] = [all('warm'), all('ended'), all('done')];
    for (const rest of [ended, done]) rest.catch(() => undefined); // The first failure is told.
    children.forEach((child, index) => {
      child.tell({ type: 'start', load, parameters, index, processes });
    });
    await warm;
    const cpuAtStart = serverCpu();
    const threadsAtStart = threadsNow();
    const fromUs = nowUs();
    for (const child of children) child.tell({ type: 'go' });
    await ended;
    const toUs = nowUs();
    const threads = timesBetween(threadsAtStart, threadsNow());
    const serverCpuUs = usedSince(cpuAtStart, serverCpu());
    const finished = await done;
    exitTimeoutMs = EXIT_TIMEOUT_MS;
    const report = { ...joined(finished, serverCpuUs), fromUs, toUs, pid, threads };
    if (balanced && report.ledger !== undefined) requireBalance(load, [report.ledger]);
    return report;
  } finally {
    clearTimeout(timeout);
    await Promise.all(children.map((child) => child.end(exitTimeoutMs)));
  }
}
