/* Latency at a fixed rate of arrivals: an open loop (open-loop.ts) on a precise clock. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverName } from '../drivers/drivers.ts';
import { openDriver } from '../drivers/drivers.ts';
import type { Load } from '../harness/load-contract.ts';
import { startTicker } from '../harness/ticker.ts';
import { OpenLoop, type OpenLoopParameters } from './open-loop.ts';

const TICK_MS_MIN = 0.2; // at higher rates several batches are due at a tick
const NS_PER_MS = 1e6;

export interface LatencyParameters extends OpenLoopParameters {
  readonly driver: DriverName;
  /** Senders that batches are given to as they are free; a batch that finds none waits. */
  readonly senders: number;
  readonly receivers: number;
  readonly receiveMax: number;
}

export const load: Load<LatencyParameters> = async (parameters, context) => {
  const driver = await openDriver(parameters.driver, parameters.options);
  const openAll = <T>(count: number, open: () => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, open));
  const senders = await openAll(parameters.senders, () => driver.sender());
  const receivers = await openAll(parameters.receivers, () => driver.receiver());
  // The ticker's thread and this one must mean the same moments: both go by the system's clock.
  const startNs = process.hrtime.bigint();
  const nowMs = (): number => Number(process.hrtime.bigint() - startNs) / NS_PER_MS;
  const loop = new OpenLoop(parameters, senders, nowMs);
  const settled = loop.settled(receivers.map((r) => loop.receive(r, parameters.receiveMax)));
  const tickMs = Math.max(TICK_MS_MIN, loop.intervalMs);
  const ticker = startTicker(startNs, tickMs, () => loop.pump());
  await sleep(loop.warmMs);
  await context.begin();
  await settled;
  context.end();
  await ticker.stop();
  await driver.close();
  return {
    messages: loop.measuredMessages,
    ledger: loop.ledger.snapshot(),
    latencies: {
      enqueue: loop.enqueue.snapshot(),
      dequeue: loop.dequeue.snapshot(),
      delete: loop.deletion.snapshot(),
      lag: loop.lag.snapshot(),
    },
  };
};
