/* One half of a long wait: fills a queue with a given number of messages, or drains what is there.
 * Each half reports its side of the ledger; the scenario holds them against each other. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverOptions } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import { Ledger } from '../harness/ledger.ts';
import type { Load, Point } from '../harness/load-contract.ts';

const CURVE_INTERVAL_MS = 250;
const WARM_LOOK_MS = 5;
const STALL_MS = 60_000;

export interface BacklogParameters {
  readonly driver: DriverName;
  readonly options: DriverOptions;
  readonly way: 'fill' | 'drain';
  readonly messages: number;
  /** Of them, so many are dealt with before the clock runs; by default none. */
  readonly warmupMessages?: number;
  readonly lanes: number;
}

/** Follows a count until it is complete: its rate over the count is the curve. */
async function followed(done: Promise<unknown>, count: () => number): Promise<Point[]> {
  const curve: Point[] = [];
  const over = new AbortController();
  const ended = done.finally(() => over.abort());
  let before = { at: performance.now(), count: count() };
  let movedAt = before.at;
  while (!over.signal.aborted) {
    await Promise.race([ended, sleep(CURVE_INTERVAL_MS)]);
    const now = { at: performance.now(), count: count() };
    if (now.count > before.count) movedAt = now.at;
    else if (now.at - movedAt > STALL_MS) throw new Error(`Nothing moves, at ${now.count}.`);
    const perSecond = ((now.count - before.count) * 1000) / (now.at - before.at);
    const isWhole = now.at - before.at > CURVE_INTERVAL_MS / 2;
    if (isWhole && now.count > before.count) curve.push([now.count, perSecond]);
    before = now;
  }
  return curve;
}

export const load: Load<BacklogParameters> = async (parameters, context) => {
  const { options, messages, warmupMessages = 0, lanes, way } = parameters;
  const { batch } = options;
  const driver = await openDriver(parameters.driver, options);
  const ledger = new Ledger();
  let next = 0;
  const fill = async (): Promise<void> => {
    const sender = await driver.sender();
    while (next < messages) {
      const first = next;
      const count = Math.min(batch, messages - first);
      next += count;
      await sender.send(first, count);
      ledger.sent.addRange(first, count);
    }
  };
  let drained = (): void => undefined;
  const drain = async (): Promise<void> => {
    const receiver = await driver.receiver();
    while (ledger.received.count < messages) {
      const { sequences, receipts } = await receiver.receive(batch);
      if (sequences.length === 0) continue;
      ledger.received.addAll(sequences);
      await receiver.delete(receipts);
      ledger.deleted.addAll(sequences);
      if (ledger.deleted.count >= messages) drained();
    }
  };
  const lane = way === 'fill' ? fill : drain;
  // A lane that finds nothing more waits in its last receive until the driver is closed: that is
  // not the drain's time.
  const all = Promise.race([
    Promise.all(Array.from({ length: lanes }, lane)),
    new Promise<void>((resolve) => {
      drained = resolve;
    }),
  ]);
  const { sent, deleted } = ledger;
  const count = (): number => (way === 'fill' ? sent.count : deleted.count);
  while (count() < warmupMessages) await Promise.race([all, sleep(WARM_LOOK_MS)]);
  await context.begin();
  const before = count();
  const curve = await followed(all, count);
  context.end();
  await driver.close();
  return { messages: messages - before, ledger: ledger.snapshot(), curve };
};
