/* A queue whose consumers are down: it fills, waits, survives a kill and a stop, and drains. The
 * steps are shared by the scenarios of each size. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverOptions } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import type { Bench, Scenario } from '../harness/bench.ts';
import { diskBytesOf } from '../harness/disk-usage.ts';
import { Ledger, type LedgerSnapshot } from '../harness/ledger.ts';
import { type LoadReport, requireBalance } from '../harness/load.ts';
import type { Point } from '../harness/load-contract.ts';
import { residentBytes } from '../harness/process-usage.ts';
import type { CapstanServer } from '../harness/server.ts';
import { driverOptions, FSYNC } from './standard.ts';

const MIB = 1024 * 1024;
const LANES = 16;
const RESTART_TIMEOUT_MS = 180_000;
const TRY_TIMEOUT_MS = 15_000; // a server that takes a connection and then says nothing
const ASK_AGAIN_MS = 2; // asking without a pause would take a core from the server that starts
const HALF_TIMEOUT_MS = 1_200_000; // 16 GB on a slow disk; what stalls ends long before
const SHALLOW_MESSAGES = 300_000; // whose drain is that of a queue that never grew
const WARMUP_SHARE = 1 / 3; // of the shallow queue, before the clock runs; as many of a deep one

export interface BacklogSettings {
  /** As in `1 M waiting messages`. */
  readonly name: string;
  readonly messages: number;
  readonly bodyBytes: number;
  readonly batch: number;
  readonly targets: {
    readonly memoryMib?: number;
    readonly drainPerSecond?: number;
    readonly drainRatio?: number;
    readonly restartSeconds?: number;
  };
}

interface Backlog {
  readonly fill: LoadReport;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly afterKillSeconds: number;
  readonly afterStopSeconds: number;
  readonly drain: LoadReport;
}

function half(
  bench: Bench,
  server: CapstanServer,
  way: 'fill' | 'drain',
  settings: BacklogSettings,
  messages: number,
): Promise<LoadReport> {
  const { bodyBytes, batch } = settings;
  const options = driverOptions(server.socketUrl, { bodyBytes, batch, connections: 4 });
  const shallow = shallowMessages(settings);
  const warmupMessages = way === 'fill' ? 0 : Math.round(shallow * WARMUP_SHARE);
  const counts = { messages, warmupMessages, lanes: LANES };
  const parameters = { driver: 'websocket', options, way, ...counts } as const;
  return bench.load('backlog', parameters, {
    serverPid: server.pid,
    balanced: false,
    timeoutMs: HALF_TIMEOUT_MS,
  });
}

/** One try; undefined: the server refuses connections, or is not ready yet. */
async function tryReceive(driverName: DriverName, options: DriverOptions) {
  const driver = await openDriver(driverName, options).catch(() => undefined);
  const receiver = await driver?.receiver().catch(() => undefined);
  const received = await receiver?.receive(1).catch(() => undefined);
  if (receiver !== undefined && received !== undefined && received.sequences.length > 0) {
    const at = performance.now();
    await receiver.delete(received.receipts);
    await driver?.close();
    return { at, sequences: received.sequences };
  }
  await driver?.close();
  return undefined;
}

/** From the start of the process to a message in hand. The message is deleted, and counted. */
export async function restartSeconds(
  restart: () => Promise<void>,
  driver: DriverName,
  options: DriverOptions,
): Promise<{ seconds: number; ledger: LedgerSnapshot }> {
  await restart();
  const startedAt = performance.now();
  const ledger = new Ledger();
  while (performance.now() - startedAt < RESTART_TIMEOUT_MS) {
    const received = await Promise.race([tryReceive(driver, options), sleep(TRY_TIMEOUT_MS)]);
    if (received !== undefined) {
      ledger.received.addAll(received.sequences);
      ledger.deleted.addAll(received.sequences);
      return { seconds: (received.at - startedAt) / 1000, ledger: ledger.snapshot() };
    }
    await sleep(ASK_AGAIN_MS);
  }
  throw new Error(`No message within ${RESTART_TIMEOUT_MS} ms of the restart.`);
}

async function fillAndDrain(bench: Bench, settings: BacklogSettings): Promise<Backlog> {
  const { messages, name } = settings;
  return bench.withServer({}, async (server) => {
    const fill = await half(bench, server, 'fill', settings, messages);
    const memoryMib = (residentBytes(server.pid) ?? Number.NaN) / MIB;
    const diskMib = diskBytesOf(server.data) / MIB;
    const options = driverOptions(server.httpUrl, { bodyBytes: settings.bodyBytes });
    const kill = await restartSeconds(() => server.restart('kill'), 'sqs-json', options);
    const stop = await restartSeconds(() => server.restart('stop'), 'sqs-json', options);
    const taken = kill.ledger.deleted.count + stop.ledger.deleted.count;
    const drain = await half(bench, server, 'drain', settings, messages - taken);
    requireBalance(name, [fill.ledger!, kill.ledger, stop.ledger, drain.ledger!]);
    return {
      fill,
      memoryMib,
      diskMib,
      afterKillSeconds: kill.seconds,
      afterStopSeconds: stop.seconds,
      drain,
    };
  });
}

function shallowMessages({ messages }: BacklogSettings): number {
  return Math.min(SHALLOW_MESSAGES, Math.round(messages / 5));
}

async function shallowDrain(bench: Bench, settings: BacklogSettings): Promise<number> {
  return bench.withServer({}, async (server) => {
    const messages = shallowMessages(settings);
    const fill = await half(bench, server, 'fill', settings, messages);
    const drain = await half(bench, server, 'drain', settings, messages);
    requireBalance(settings.name, [fill.ledger!, drain.ledger!]);
    return drain.perSecond;
  });
}

/** The rate over the last tenth of a curve against that over its first. The very first point has
 *  the start of everything in it, and does not count. */
function endOverStart([, ...curve]: readonly Point[]): number {
  const tenth = Math.max(1, Math.floor(curve.length / 10));
  const mean = (points: readonly Point[]): number =>
    points.reduce((sum, [, rate]) => sum + rate, 0) / points.length;
  return mean(curve.slice(-tenth)) / mean(curve.slice(0, tenth));
}

function plans({ name, targets }: BacklogSettings) {
  const plan = (what: string, unit: string, better: 'more' | 'less', target?: number) => ({
    name: `${name}: ${what}`,
    parameters: { figure: what },
    durability: FSYNC,
    unit,
    better,
    target,
  });
  return {
    fill: plan('enqueue rate', 'msg/s', 'more'),
    fillEnd: plan('enqueue rate of the last tenth against the first', 'of it', 'more', 0.8),
    memory: plan('resident memory', 'MiB', 'less', targets.memoryMib),
    disk: plan('disk', 'MiB', 'less'),
    kill: plan('restart to first receive, after SIGKILL', 's', 'less', targets.restartSeconds),
    stop: plan('restart to first receive, after a stop', 's', 'less', targets.restartSeconds),
    drain: plan('drain rate', 'msg/s', 'more', targets.drainPerSecond),
    ratio: plan("drain rate against a shallow queue's", 'of it', 'more', targets.drainRatio),
  };
}

/** Runs once: a backlog is long enough to be its own average. */
export async function measureBacklog(bench: Bench, settings: BacklogSettings): Promise<void> {
  const reading = (report: LoadReport) => ({
    figure: report.perSecond,
    serverCpuUsPerMessage: report.serverCpuUsPerMessage,
    loadCpuUsPerMessage: report.loadCpuUsPerMessage,
  });
  await bench.measureAll(
    plans(settings),
    async () => {
      const shallow = await shallowDrain(bench, settings);
      const { fill, memoryMib, diskMib, afterKillSeconds, afterStopSeconds, drain } =
        await fillAndDrain(bench, settings);
      bench.curve(`${settings.name}: enqueue`, fill.curve);
      bench.curve(`${settings.name}: drain`, drain.curve);
      return {
        fill: reading(fill),
        fillEnd: { figure: endOverStart(fill.curve) },
        memory: { figure: memoryMib },
        disk: { figure: diskMib },
        kill: { figure: afterKillSeconds },
        stop: { figure: afterStopSeconds },
        drain: reading(drain),
        ratio: { figure: drain.perSecond / shallow },
      };
    },
    1,
  );
}

export function backlogCharts(name: string, title: string): NonNullable<Scenario['charts']> {
  return (_, curves) => [
    {
      kind: 'lines',
      name,
      title,
      x: { label: 'messages dealt with', scale: 'linear' },
      y: { label: 'messages per second', scale: 'linear' },
      series: [...curves].map(([curve, points]) => ({ name: curve.split(': ').at(-1)!, points })),
    },
  ];
}
