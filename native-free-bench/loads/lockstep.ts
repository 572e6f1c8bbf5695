/* Each lane has its own queues and goes round them: send a batch, receive it, delete it. For many
 * queues, and for many connections: every lane is a client that does its own thing. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver, DriverOptions, Receiver, Sender } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import { Ledger } from '../harness/ledger.ts';
import type { Load } from '../harness/load-contract.ts';
import { SEQUENCES_PER_PROCESS } from './lanes.ts';

export interface LockstepParameters {
  readonly driver: DriverName;
  readonly options: DriverOptions;
  readonly lanes: number;
  readonly queues: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

interface QueueEnds {
  readonly sender: Sender;
  readonly receiver: Receiver;
}

async function round(ends: QueueEnds, first: number, batch: number, ledger: Ledger) {
  await ends.sender.send(first, batch);
  ledger.sent.addRange(first, batch);
  for (let open = batch; open > 0; ) {
    const { sequences, receipts } = await ends.receiver.receive(open);
    ledger.received.addAll(sequences);
    if (sequences.length > 0) await ends.receiver.delete(receipts);
    ledger.deleted.addAll(sequences);
    open -= sequences.length;
  }
}

/** The queues of one lane; where there are fewer queues than lanes, lanes share them. */
function queuesOfLane(lane: number, { options, lanes, queues }: LockstepParameters): string[] {
  if (queues === 1) return [options.queue];
  const names: string[] = [];
  for (let at = lane % queues; at < queues; at += lanes) names.push(`${options.queue}-${at}`);
  return names;
}

async function openEnds(driver: Driver, queues: readonly string[]): Promise<QueueEnds[]> {
  const ends: QueueEnds[] = [];
  for (const queue of queues) {
    ends.push({ sender: await driver.sender(queue), receiver: await driver.receiver(queue) });
  }
  return ends;
}

export const load: Load<LockstepParameters> = async (parameters, context) => {
  const { driver: name, options, lanes } = parameters;
  const driver = await openDriver(name, options);
  const ledger = new Ledger();
  let sequence = context.index * SEQUENCES_PER_PROCESS;
  const over = new AbortController();
  const lane = async (ends: readonly QueueEnds[]): Promise<void> => {
    for (let turn = 0; !over.signal.aborted; turn++) {
      const first = sequence;
      sequence += options.batch;
      await round(ends[turn % ends.length]!, first, options.batch, ledger);
    }
  };
  const queuesOf = Array.from({ length: lanes }, (_, i) => queuesOfLane(i, parameters));
  for (const queue of new Set(queuesOf.flat())) await driver.createQueue(queue);
  const opened = await Promise.all(queuesOf.map((queues) => openEnds(driver, queues)));
  const all = Promise.all(opened.map(lane));
  await Promise.race([all, sleep(parameters.warmupSeconds * 1000)]);
  await context.begin();
  const before = ledger.deleted.count;
  await Promise.race([all, sleep(parameters.seconds * 1000)]);
  const messages = ledger.deleted.count - before;
  context.end();
  over.abort();
  await all;
  await driver.close();
  return { messages, ledger: ledger.snapshot() };
};
