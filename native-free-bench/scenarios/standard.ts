/* Settings that scenarios share, so that their figures compare. */

import type { DriverOptions } from '../drivers/driver.ts';
import type { DriverName } from '../drivers/drivers.ts';
import { type Bench, BODY_BYTES, QUEUE, throughputOf } from '../harness/bench.ts';
import type { LoadReport } from '../harness/load.ts';
import type { Reading } from '../harness/rows.ts';
import type { CapstanServer, ServerOptions } from '../harness/server.ts';

const RECEIVE_WAIT_MS = 1000;
const OPEN_BATCHES_PER_LANE = 4; // sent and not yet deleted, of one sending lane
const DRAIN_BATCH = 100;
const OPEN_MESSAGES_MAX = 60_000; // below what a queue lets be in flight

export type RemoteDriver = Exclude<DriverName, 'embedded'>;

export const FSYNC = 'fsync';

export function driverOptions(url: string, options: Partial<DriverOptions> = {}): DriverOptions {
  return {
    url,
    queue: options.groups === undefined ? QUEUE : `${QUEUE}.fifo`,
    bodyBytes: BODY_BYTES,
    batch: 1,
    connections: 1,
    waitMs: RECEIVE_WAIT_MS,
    ...options,
  };
}

export function urlFor(driver: RemoteDriver, server: CapstanServer): string {
  return driver === 'websocket' ? server.socketUrl : server.httpUrl;
}

/** Lanes that keep a server busy with batches of a size. */
export function lanesFor(batch: number): number {
  return batch >= 10 ? 32 : 64;
}

export interface CycleSettings extends Partial<DriverOptions> {
  readonly driver: RemoteDriver;
  readonly batch: number;
  readonly lanes?: number | undefined;
}

export function cycleParameters(bench: Bench, url: string, settings: CycleSettings) {
  const { driver, lanes = lanesFor(settings.batch), ...options } = settings;
  return {
    driver,
    options: driverOptions(url, options),
    senders: lanes,
    receivers: lanes,
    openMax: Math.min(OPEN_MESSAGES_MAX, lanes * settings.batch * OPEN_BATCHES_PER_LANE),
    warmupSeconds: bench.warmupSeconds,
    seconds: bench.seconds,
  };
}

/** A full cycle against a fresh server. */
export function remoteCycle(
  bench: Bench,
  server: ServerOptions,
  settings: CycleSettings,
  processes = 1,
): Promise<LoadReport> {
  return bench.withServer(server, (running) => {
    const parameters = cycleParameters(bench, urlFor(settings.driver, running), settings);
    return bench.load('cycle', parameters, { serverPid: running.pid, processes });
  });
}

export async function remoteCycleReading(
  bench: Bench,
  server: ServerOptions,
  settings: CycleSettings,
): Promise<Reading> {
  return throughputOf(await remoteCycle(bench, server, settings));
}

/** Lanes that each send, receive and delete in their turn, against a fresh server. */
export function lockstepReading(
  bench: Bench,
  { lanes, queues, ...options }: Partial<DriverOptions> & { lanes: number; queues: number },
): Promise<Reading> {
  return bench.withServer({}, async (server) => {
    const parameters = {
      driver: 'websocket' as const,
      options: driverOptions(server.socketUrl, options),
      lanes,
      queues,
      warmupSeconds: bench.warmupSeconds,
      seconds: bench.seconds,
    };
    return throughputOf(await bench.load('lockstep', parameters, { serverPid: server.pid }));
  });
}

/** Where everything is received and deleted after a run that only sent: the fastest door. */
export function drainOver(server: CapstanServer) {
  const options = driverOptions(server.socketUrl, { batch: DRAIN_BATCH, connections: 4 });
  return { driver: 'websocket', options } as const;
}

/** Sends only, against a fresh server. */
export function remoteEnqueueReading(bench: Bench, settings: CycleSettings): Promise<Reading> {
  return bench.withServer({}, async (server) => {
    const parameters = {
      ...cycleParameters(bench, urlFor(settings.driver, server), settings),
      drain: drainOver(server),
    };
    return throughputOf(await bench.load('enqueue', parameters, { serverPid: server.pid }));
  });
}

export interface AutocannonSettings {
  readonly batch: number;
  readonly connections: number;
  readonly warmupRequests: number;
  readonly requests: number;
  /** Of `autocannon-take`. */
  readonly timed?: 'receive' | 'delete';
}

/** As many requests as take the time of a measurement, at about so many a second. */
export function requestCounts(bench: Bench, perSecond: number) {
  return {
    warmupRequests: Math.round(perSecond * bench.warmupSeconds),
    requests: Math.round(perSecond * bench.seconds),
  };
}

/** SQS through autocannon, against a fresh server. */
export function autocannonReading(
  bench: Bench,
  load: 'autocannon-post' | 'autocannon-cycle' | 'autocannon-take',
  { batch, timed = 'receive', ...counts }: AutocannonSettings,
): Promise<Reading> {
  return bench.withServer({}, async (server) => {
    const options = driverOptions(server.httpUrl, { batch });
    const parameters = { ...counts, options, timed, drain: drainOver(server) };
    return throughputOf(await bench.load(load, parameters, { serverPid: server.pid }));
  });
}
