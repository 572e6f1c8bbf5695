/* Latency at a fixed rate of arrivals: at 2,000 single messages a second, at half of the peak, and
 * along the way there. Enqueue: from when a message was due until it is acknowledged. Dequeue: from
 * when it was due until a waiting consumer has it. */

import type { Chart } from '../charts/chart.ts';
import type { Bench, Curves, Scenario } from '../harness/bench.ts';
import type { LoadReport } from '../harness/load.ts';
import type { Reading, Row } from '../harness/rows.ts';
import { driverOptions, FSYNC, type RemoteDriver, remoteCycle, urlFor } from './standard.ts';

const STEADY_PER_SECOND = 2_000;
const MEASURED_SECONDS_MIN = 2; // a percentile wants more than a mean
const STEADY_TARGETS_MS = { enqueue: 0.7, dequeue: 1 };
const HALF_TARGETS_MS = { enqueue: 3, dequeue: 3 };
const PERCENTILES = [
  ['p50', 0.5],
  ['p99', 0.99],
  ['p99.9', 0.999],
] as const;
const SENDERS = { websocket: 1024, http: 128 };
const RECEIVERS = { websocket: 64, http: 32 };

interface Arrivals {
  /** As the table of targets calls it. */
  readonly load: string;
  readonly driver: RemoteDriver;
  readonly messagesPerSecond: number;
  readonly batch: number;
}

function run(bench: Bench, { driver, messagesPerSecond, batch }: Arrivals): Promise<LoadReport> {
  const transport = driver === 'websocket' ? 'websocket' : 'http';
  return bench.withServer({}, (server) =>
    bench.load(
      'latency',
      {
        driver,
        options: driverOptions(urlFor(driver, server), { batch, connections: 2 }),
        messagesPerSecond,
        senders: SENDERS[transport],
        receivers: RECEIVERS[transport],
        receiveMax: driver === 'websocket' ? 100 : 10,
        warmupSeconds: Math.max(1, bench.warmupSeconds),
        seconds: Math.max(MEASURED_SECONDS_MIN, bench.seconds),
      },
      { serverPid: server.pid },
    ),
  );
}

function readings(report: LoadReport): Record<'enqueue' | 'dequeue', Reading> {
  const { serverCpuUsPerMessage, loadCpuUsPerMessage } = report;
  const reading = (name: string): Reading => {
    const { p50, p999, max } = report.latencies[name]!.percentiles();
    const lag = report.latencies['lag']!.quantileMs(0.99);
    const ms = (value: number) => value.toFixed(2);
    return {
      figure: report.latencies[name]!.quantileMs(0.99),
      serverCpuUsPerMessage,
      loadCpuUsPerMessage,
      note: `p50 ${ms(p50)}, p99.9 ${ms(p999)}, max ${ms(max)}; of it the load's lag ${ms(lag)}`,
    };
  };
  return { enqueue: reading('enqueue'), dequeue: reading('dequeue') };
}

async function measure(
  bench: Bench,
  arrivals: Arrivals,
  name: string,
  targets?: { readonly enqueue: number; readonly dequeue: number },
): Promise<void> {
  const { load, driver, messagesPerSecond, batch } = arrivals;
  const rate = Math.round(messagesPerSecond);
  const plan = (figure: 'enqueue' | 'dequeue') => ({
    name: `${name}: p99 ${figure}`,
    parameters: { load, driver, rate, batch, figure },
    durability: FSYNC,
    unit: 'ms',
    better: 'less' as const,
    target: targets?.[figure],
  });
  await bench.measureAll({ enqueue: plan('enqueue'), dequeue: plan('dequeue') }, async () => {
    const report = await run(bench, arrivals);
    if (driver === 'websocket' && batch === 1) addToCurves(bench, rate, report);
    return readings(report);
  });
}

/** A point for each percentile of each latency. */
function addToCurves(bench: Bench, rate: number, { latencies }: LoadReport): void {
  for (const figure of ['enqueue', 'dequeue']) {
    for (const [percentile, share] of PERCENTILES) {
      const name = `${figure} ${percentile}`;
      const others = (bench.curves.get(name) ?? []).filter(([x]) => x !== rate);
      const point = [rate, latencies[figure]!.quantileMs(share)] as const;
      const points = [...others, point].toSorted(([a], [b]) => a - b);
      bench.curve(name, points);
    }
  }
}

function charts(_: readonly Row[], curves: Curves): readonly Chart[] {
  return [
    {
      kind: 'lines',
      name: 'latency',
      title: 'WebSocket: latency of single messages by load',
      x: { label: 'messages per second', scale: 'log' },
      y: { label: 'milliseconds', scale: 'log' },
      series: [...curves].map(([name, points]) => ({ name, points })),
    },
  ];
}

export const scenario: Scenario = {
  name: 'latency',
  summary: 'p99 of enqueue and dequeue at fixed rates, open loop.',
  run: async (bench) => {
    const rate = STEADY_PER_SECOND.toLocaleString('en-US');
    const steady = { load: `${rate}/s`, messagesPerSecond: STEADY_PER_SECOND, batch: 1 };
    await measure(
      bench,
      { ...steady, driver: 'websocket' },
      `WebSocket, ${rate} msg/s`,
      STEADY_TARGETS_MS,
    );
    await measure(bench, { ...steady, driver: 'sqs-json' }, `SQS, ${rate} msg/s`);
    for (const batch of bench.values([1, 10, 100], [1, 10])) {
      const settings = { driver: 'websocket', batch, connections: 4 } as const;
      const { perSecond } = await remoteCycle(bench, {}, settings);
      const peak = `the peak of ${Math.round(perSecond).toLocaleString('en-US')} msg/s`;
      for (const share of bench.values([0.25, 0.5, 0.75], batch === 1 ? [0.25, 0.5] : [0.5])) {
        await measure(
          bench,
          {
            load: share === 0.5 ? 'half' : `${share} of the peak`,
            driver: 'websocket',
            messagesPerSecond: perSecond * share,
            batch,
          },
          `WebSocket, batches of ${batch}, ${share} of ${peak}`,
          share === 0.5 ? HALF_TARGETS_MS : undefined,
        );
      }
    }
  },
  charts,
};
