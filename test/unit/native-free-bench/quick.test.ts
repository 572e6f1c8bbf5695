import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Bench, type Scenario } from '../../../native-free-bench/harness/bench.ts';
import { Histogram } from '../../../native-free-bench/harness/histogram.ts';
import type { LoadOptions, LoadReport } from '../../../native-free-bench/harness/load.ts';
import type { LoadName } from '../../../native-free-bench/loads/loads.ts';
import { SCENARIOS } from '../../../native-free-bench/scenarios/scenarios.ts';

const QUICK_SECONDS_MAX = 300;
const PLANNED_SHARE_MAX = 0.82; // no machine is as quiet as one thinks

// On a quiet machine of two cores.
const SERVER_SECONDS = 0.7; // from its start to the first answer
const LOAD_SECONDS = 0.5; // to start its process, to connect, to look for what is left over
const FILL_PER_SECOND = 200_000;
const DRAIN_PER_SECOND = 100_000;
const HTTP_PER_SECOND = 12_000;
const RESTART_SECONDS = 1.5;

interface Plan {
  readonly warmupSeconds?: number;
  readonly seconds?: number;
  readonly warmupRequests?: number;
  readonly requests?: number;
  readonly messages?: number;
  readonly warmupMessages?: number;
  readonly way?: string;
  readonly drain?: unknown;
  readonly options?: { readonly batch: number };
}

/** What is left over when senders were as fast as it goes, and is received off the clock. */
function drainSeconds({ drain, warmupSeconds = 0, seconds = 0, options }: Plan): number {
  if (drain === undefined) return 0;
  const perSecond = options?.batch === 1 ? FILL_PER_SECOND / 4 : FILL_PER_SECOND * 2;
  return ((warmupSeconds + seconds) * perSecond) / DRAIN_PER_SECOND;
}

function timedSeconds(plan: Plan): number {
  return (plan.warmupSeconds ?? 0) + (plan.seconds ?? 0) + drainSeconds(plan);
}

function requestSeconds({ warmupRequests = 0, requests = 0 }: Plan): number {
  return (warmupRequests + requests) / HTTP_PER_SECOND;
}

const counted = (times: number) => (plan: Plan) => times * requestSeconds(plan);

/** By the name of a load: how long it is to take. */
const PLANNED: Readonly<Record<LoadName, (plan: Plan) => number>> = {
  backlog: ({ messages = 0, way }) =>
    messages / (way === 'fill' ? FILL_PER_SECOND : DRAIN_PER_SECOND),
  cycle: timedSeconds,
  disk: timedSeconds,
  enqueue: timedSeconds,
  idle: timedSeconds,
  latency: timedSeconds,
  lockstep: timedSeconds,
  ring: timedSeconds,
  tenants: (plan) => 2 * timedSeconds(plan), // the backlog is waited for
  stalls: timedSeconds,
  straggler: ({ messages = 0 }) => messages / (DRAIN_PER_SECOND / 4),
  'autocannon-post': counted(2), // what was sent is received
  'autocannon-cycle': counted(1),
  'autocannon-take': counted(3), // sent, received, deleted
};

const scratch = mkdtempSync(join(tmpdir(), 'capstan-quick-'));
const plan = vi.hoisted(() => ({ seconds: 0 }));

vi.mock('../../../native-free-bench/harness/load.ts', async (original) => ({
  ...(await original<typeof import('../../../native-free-bench/harness/load.ts')>()),
  requireBalance: () => undefined,
  runLoad: async (load: LoadName, parameters: Plan, _: LoadOptions): Promise<LoadReport> => {
    plan.seconds += LOAD_SECONDS + PLANNED[load](parameters);
    const latencies = new Proxy({}, { get: () => new Histogram() });
    const ledger = { deleted: { count: 0 } } as unknown as LoadReport['ledger'];
    return {
      ...{ messages: 1, seconds: 1, perSecond: 10_000, serverCores: 0, figures: {} },
      ...{ loadCpuUsPerMessage: 1, serverCpuUsPerMessage: 1, latencies, ledger },
      ...{ curve: [], fromUs: 0, toUs: 0, pid: process.pid, threads: new Map() },
    };
  },
}));

vi.mock('../../../native-free-bench/harness/server.ts', () => ({
  CapstanServer: {
    start: async () => {
      plan.seconds += SERVER_SECONDS;
      const done = async (): Promise<void> => undefined;
      const restart = async (): Promise<void> => {
        plan.seconds += RESTART_SECONDS;
      };
      return { pid: process.pid, data: '', close: done, remove: done, restart };
    },
  },
}));

vi.mock('../../../native-free-bench/harness/hello.ts', () => ({
  startHello: async () => {
    plan.seconds += SERVER_SECONDS;
    return { url: '', pid: process.pid, stop: async () => undefined };
  },
}));

vi.mock('../../../native-free-bench/harness/disk-usage.ts', () => ({
  diskBytesOf: () => 0,
  followDisk: async () => [{ seconds: 0, diskBytes: 0, liveBytes: 0 }],
}));

vi.mock('../../../native-free-bench/drivers/drivers.ts', () => ({
  openDriver: async () => ({
    receiver: async () => ({
      receive: async () => ({ sequences: [1], receipts: [1] }),
      delete: async () => undefined,
    }),
    close: async () => undefined,
  }),
}));

/** The planned seconds of a scenario in a quick run, where nothing is really started. */
async function plannedSeconds(scenario: Scenario): Promise<number> {
  const failures: unknown[] = [];
  const bench = new Bench(scenario.name, {
    quick: true,
    scratch,
    onRow: () => undefined,
    onFailure: (failure) => failures.push(failure),
    onSkip: () => undefined,
  });
  plan.seconds = 0;
  await scenario.run(bench);
  expect(failures).toEqual([]);
  return plan.seconds;
}

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('a quick run', () => {
  const planned = new Map<string, number>();

  it.each(SCENARIOS.filter(({ when }) => when === undefined))(
    'has a plan for $name',
    async (scenario) => {
      planned.set(scenario.name, await plannedSeconds(scenario));
      expect(planned.get(scenario.name)).toBeGreaterThan(0);
    },
  );

  it('is planned to end well within five minutes', () => {
    const sum = [...planned.values()].reduce((total, seconds) => total + seconds, 0);
    expect(sum).toBeLessThan(PLANNED_SHARE_MAX * QUICK_SECONDS_MAX);
  });
});
