/* Latency while the log is cleaned and digested, against that of a server with nothing to do. Two
 * queues are filled side by side and one of them is purged: half of what every old segment holds is
 * to be copied before its space comes back, and the segments are cold enough for digests. */

import type { Bench, Scenario } from '../harness/bench.ts';
import { housekeepingOf } from '../harness/disk-usage.ts';
import type { LoadReport } from '../harness/load.ts';
import type { Reading } from '../harness/rows.ts';
import type { CapstanServer } from '../harness/server.ts';
import { driverOptions, FSYNC } from './standard.ts';

const MESSAGES_PER_SECOND = 2_000;
const MEASURED_SECONDS_MIN = 4; // the digests begin when the log has been quiet for five
const WARMUP_SECONDS = 2;
const TIMES_IDLE_MAX = 2;
const FILL_TIMEOUT_MS = 300_000;
const MIB = 1024 * 1024;

/** A queue of 1 KiB messages. */
function fill(bench: Bench, server: CapstanServer, queue: string, messages: number) {
  const bodyBytes = 1024;
  const options = driverOptions(server.socketUrl, { queue, bodyBytes, batch: 100 });
  const parameters = { driver: 'websocket', options, way: 'fill', messages, lanes: 4 } as const;
  return bench.load('backlog', parameters, { balanced: false, timeoutMs: FILL_TIMEOUT_MS });
}

async function purge(server: CapstanServer, queue: string): Promise<void> {
  const url = `${server.httpUrl}/v1/queues/${queue}/purge`;
  const { status } = await fetch(url, { method: 'POST' });
  if (status >= 300) throw new Error(`The purge was answered with ${status}.`);
}

function arrivals(bench: Bench, server: CapstanServer): Promise<LoadReport> {
  return bench.load(
    'latency',
    {
      driver: 'websocket',
      options: driverOptions(server.socketUrl, { connections: 2 }),
      messagesPerSecond: MESSAGES_PER_SECOND,
      senders: 1024,
      receivers: 16,
      receiveMax: 100,
      warmupSeconds: WARMUP_SECONDS,
      seconds: Math.max(MEASURED_SECONDS_MIN, bench.seconds),
    },
    { serverPid: server.pid },
  );
}

interface Outcome {
  readonly idle: LoadReport;
  readonly busy: LoadReport;
  /** What was done meanwhile. */
  readonly note: string;
}

async function run(bench: Bench): Promise<Outcome> {
  return bench.withServer({}, async (server) => {
    const idle = await arrivals(bench, server);
    const messages = bench.quick ? 500_000 : 1_000_000;
    await Promise.all(['kept', 'purged'].map((queue) => fill(bench, server, queue, messages)));
    await purge(server, 'purged');
    const before = await housekeepingOf(server);
    const busy = await arrivals(bench, server);
    const after = await housekeepingOf(server);
    const copied = (after.relocatedBytes - before.relocatedBytes) / MIB;
    const cleaned = after.regionsCleaned - before.regionsCleaned;
    const note = `${cleaned} segments cleaned meanwhile, ${copied.toFixed(0)} MiB copied`;
    if (cleaned === 0) throw new Error('Nothing was cleaned: the figure would say nothing.');
    return { idle, busy, note };
  });
}

type Figure = 'enqueue' | 'dequeue';

function p99(report: LoadReport, figure: Figure): number {
  return report.latencies[figure]!.quantileMs(0.99);
}

export const scenario: Scenario = {
  name: 'housekeeping',
  summary: 'Latency p99 while the log is cleaned and digested, against idle.',
  when: 'not quick',
  run: async (bench) => {
    const plan = (figure: Figure, what: string, unit: string, target?: number) => ({
      name: `2,000 msg/s, p99 ${figure}: ${what}`,
      parameters: { figure, what },
      durability: FSYNC,
      unit,
      better: 'less' as const,
      target,
    });
    const ratio = 'cleaning and digesting against idle';
    await bench.measureAll(
      {
        idleEnqueue: plan('enqueue', 'idle', 'ms'),
        busyEnqueue: plan('enqueue', 'while cleaning and digesting', 'ms'),
        enqueue: plan('enqueue', ratio, 'of it', TIMES_IDLE_MAX),
        idleDequeue: plan('dequeue', 'idle', 'ms'),
        busyDequeue: plan('dequeue', 'while cleaning and digesting', 'ms'),
        dequeue: plan('dequeue', ratio, 'of it', TIMES_IDLE_MAX),
      },
      async () => {
        const { idle, busy, note } = await run(bench);
        const ratioOf = (figure: Figure): Reading => ({
          figure: p99(busy, figure) / p99(idle, figure),
          note,
        });
        return {
          idleEnqueue: { figure: p99(idle, 'enqueue') },
          busyEnqueue: { figure: p99(busy, 'enqueue') },
          enqueue: ratioOf('enqueue'),
          idleDequeue: { figure: p99(idle, 'dequeue') },
          busyDequeue: { figure: p99(busy, 'dequeue') },
          dequeue: ratioOf('dequeue'),
        };
      },
    );
  },
};
