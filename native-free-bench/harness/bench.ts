/* What a scenario works with: servers and loads, how long and how often, and a place for rows. */

import { join } from 'node:path';
import type { Chart } from '../charts/chart.ts';
import type { LoadName, LoadParameters } from '../loads/loads.ts';
import { notingArguments, type ThreadTimes } from '../profile/threads.ts';
import { type Profiled, profilingArguments } from '../profile/v8-profile.ts';
import { type LoadOptions, type LoadReport, runLoad, WrongCountError } from './load.ts';
import type { Point } from './load-contract.ts';
import { type Failure, type Reading, type Row, type RowPlan, rowOf, type Skipped } from './rows.ts';
import { CapstanServer, type ServerOptions, type ServerPlace } from './server.ts';
import type { Table } from './table.ts';

export const BODY_BYTES = 256; // of every scenario that does not vary it
export const QUEUE = 'bench';
const LOAD_SLACK_MS = 60_000; // to start, to drain: beyond it something hangs

/** By name: what a run recorded along its way. */
export type Curves = ReadonlyMap<string, readonly Point[]>;

export interface BenchOptions {
  readonly quick: boolean;
  readonly scratch: string;
  /** Profiles of the server go here; undefined: none are taken. */
  readonly profileDirectory?: string | undefined;
  /** Threads of the server note here what they are, and their CPU time is counted one by one;
   *  undefined: nobody wants to know. */
  readonly notesDirectory?: string | undefined;
  readonly repeats?: number | undefined;
  readonly seconds?: number | undefined;
  readonly onRow: (row: Row) => void;
  readonly onFailure: (failure: Failure) => void;
  readonly onSkip: (skipped: Skipped) => void;
}

export interface Scenario {
  /** The name of its file. */
  readonly name: string;
  readonly summary: string;
  /** Left out of `--quick`, or runs only when peers are asked for. */
  readonly when?: 'not quick' | 'peers' | undefined;
  run(bench: Bench): Promise<void>;
  charts?(rows: readonly Row[], curves: Curves): readonly Chart[];
  /** Beside the table of all rows. */
  tables?(rows: readonly Row[]): readonly Table[];
}

/** What a load leaves for those who look at its threads. */
export interface LoadRecord extends Profiled {
  readonly threads: ThreadTimes;
}

export class Bench {
  readonly quick: boolean;
  readonly scratch: string;
  readonly warmupSeconds: number;
  readonly seconds: number;
  readonly repeats: number;
  readonly rows: Row[] = [];
  readonly skipped: Skipped[] = [];
  readonly failures: Failure[] = [];
  readonly curves = new Map<string, readonly Point[]>();
  readonly loads: LoadRecord[] = [];
  readonly #scenario: string;
  readonly #options: BenchOptions;
  readonly #place: ServerPlace;
  /** The name of what is being measured. */
  #measuring = '';
  /** A clean stop takes time, and adds nothing to a figure; a profile is written by it. */
  readonly #stopsCleanly: boolean;

  constructor(scenario: string, options: BenchOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.quick = options.quick;
    this.scratch = options.scratch;
    this.warmupSeconds = options.quick ? 0.6 : 2;
    this.seconds = options.seconds ?? (options.quick ? 1.2 : 5);
    this.repeats = options.repeats ?? (options.quick ? 1 : 3);
    const { profileDirectory, notesDirectory } = options;
    this.#stopsCleanly = !options.quick || profileDirectory !== undefined;
    this.#place = {
      scratch: options.scratch,
      nodeArguments: [
        ...(notesDirectory === undefined ? [] : notingArguments(notesDirectory)),
        ...(profileDirectory === undefined
          ? []
          : profilingArguments(join(profileDirectory, scenario))),
      ],
    };
  }

  /** Of values that a scenario goes through: all, or in a quick run the few that say most. */
  values<T>(all: readonly T[], quick: readonly T[]): readonly T[] {
    return this.quick ? quick : all;
  }

  async withServer<T>(
    options: ServerOptions,
    use: (server: CapstanServer) => Promise<T>,
  ): Promise<T> {
    const server = await CapstanServer.start(options, this.#place);
    let result: T;
    try {
      result = await use(server);
    } catch (error) {
      await server.remove();
      throw error;
    }
    await (this.#stopsCleanly ? server.close() : server.remove());
    return result;
  }

  async load<N extends LoadName>(
    load: N,
    parameters: LoadParameters<N>,
    options?: LoadOptions,
  ): Promise<LoadReport> {
    const nodeArguments = options?.serverPid === undefined ? this.#place.nodeArguments : [];
    const timeoutMs = LOAD_SLACK_MS + 2000 * (this.warmupSeconds + this.seconds);
    const countsThreads = this.#options.notesDirectory !== undefined;
    const given = { nodeArguments, timeoutMs, countsThreads, ...options };
    const report = await runLoad(load, parameters, given);
    const { messages, fromUs, toUs, pid, threads } = report;
    const name = `${this.#measuring}${options?.serverPid === undefined ? ' (one process)' : ''}`;
    const measured = { scenario: this.#scenario, name, messages, fromUs, toUs, pid };
    this.loads.push({ ...measured, threads });
    return report;
  }

  /** Measures several figures in the same runs. What fails is told, and the others go on; false:
   *  it failed. */
  async measureAll<K extends string>(
    plans: Readonly<Record<K, RowPlan>>,
    run: () => Promise<Readonly<Record<K, Reading>>>,
    repeats = this.repeats,
  ): Promise<boolean> {
    const keys = Object.keys(plans) as K[];
    const readings: Readonly<Record<K, Reading>>[] = [];
    this.#measuring = plans[keys[0]!].name;
    try {
      while (readings.length < repeats) readings.push(await run());
    } catch (error) {
      this.#fail(plans[keys[0]!].name, error);
      return false;
    }
    for (const key of keys) {
      const ofKey = readings.map((reading) => reading[key]);
      const row = rowOf(this.#scenario, plans[key], ofKey);
      this.rows.push(row);
      this.#options.onRow(row);
    }
    return true;
  }

  measure(plan: RowPlan, run: () => Promise<Reading>, repeats?: number): Promise<boolean> {
    return this.measureAll({ row: plan }, async () => ({ row: await run() }), repeats);
  }

  #fail(name: string, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const failure = {
      scenario: this.#scenario,
      name,
      message,
      wrongCount: error instanceof WrongCountError,
    };
    this.failures.push(failure);
    this.#options.onFailure(failure);
  }

  /** What `run` throws outside of a measurement is a failure of it as a whole. */
  async attempt(name: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#fail(name, error);
    }
  }

  curve(name: string, points: readonly Point[]): void {
    this.curves.set(name, points);
  }

  skip(name: string, reason: string): void {
    this.skipped.push({ name, reason });
    this.#options.onSkip({ name, reason });
  }
}

/** The reading of a run's throughput. */
export function throughputOf(report: LoadReport): Reading {
  const { perSecond, serverCpuUsPerMessage, loadCpuUsPerMessage } = report;
  const perReceive = report.figures['messagesPerReceive'];
  const note = perReceive === undefined ? undefined : `${perReceive.toFixed(1)} a receive`;
  return { figure: perSecond, serverCpuUsPerMessage, loadCpuUsPerMessage, note };
}
