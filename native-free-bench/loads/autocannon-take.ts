/* ReceiveMessage, or DeleteMessageBatch, through autocannon. The queue is filled before, off the
 * clock, over the native protocol; then all is received, and then deleted; the half that was asked
 * for is timed. What the receives have left over is drained and counted like any rest. */

import type autocannon from 'autocannon';
import type { DriverOptions } from '../drivers/driver.ts';
import { openDriver } from '../drivers/drivers.ts';
import {
  parseReceived,
  type ReceivedBatch,
  sqsDelete,
  sqsHeaders,
  sqsReceive,
} from '../drivers/sqs-json.ts';
import type { Ledger } from '../harness/ledger.ts';
import type { Load } from '../harness/load-contract.ts';
import { shoot } from './autocannon-shots.ts';
import { type DrainParameters, Lanes } from './lanes.ts';

const FILL_SENDERS = 16;

export interface AutocannonTakeParameters {
  readonly options: DriverOptions;
  readonly timed: 'receive' | 'delete';
  readonly connections: number;
  readonly warmupRequests: number;
  /** Of `options.batch` messages each. */
  readonly requests: number;
  /** This way the queue is filled, too. */
  readonly drain: DrainParameters;
}

async function fill({ driver: name, options }: DrainParameters, messages: number): Promise<void> {
  const driver = await openDriver(name, options);
  const lanes = new Lanes(driver, {
    batch: options.batch,
    senders: FILL_SENDERS,
    receivers: 0,
    openMax: Number.POSITIVE_INFINITY,
    firstSequence: 0,
    messagesMax: messages,
  });
  await lanes.startSenders();
  await lanes.sentAll();
  await driver.close();
}

/** Each request receives a batch. */
function receiveRequest(options: DriverOptions, ledger: Ledger, taken: ReceivedBatch[]) {
  const { action, input } = sqsReceive(options, options.batch);
  const request: autocannon.Request = {
    method: 'POST',
    headers: sqsHeaders(action),
    body: JSON.stringify(input),
    onResponse: (_, body) => {
      const batch = parseReceived(body);
      ledger.received.addAll(batch.sequences);
      if (batch.receipts.length > 0) taken.push(batch);
    },
  };
  return request;
}

/** Each request deletes one of the batches. */
function deleteRequest(options: DriverOptions, ledger: Ledger, batches: ReceivedBatch[]) {
  const request: autocannon.Request = {
    method: 'POST',
    headers: sqsHeaders('DeleteMessageBatch'),
    setupRequest: (plain, context) => {
      const batch = batches.pop()!;
      Object.assign(context, { batch });
      return { ...plain, body: JSON.stringify(sqsDelete(options, batch.receipts).input) };
    },
    onResponse: (_, body, context) => {
      const { batch } = context as { batch: ReceivedBatch };
      if (!body.includes('"Failed":[{')) ledger.deleted.addAll(batch.sequences);
    },
  };
  return request;
}

export const load: Load<AutocannonTakeParameters> = async (parameters, context) => {
  const { options, timed, connections, warmupRequests, requests, drain } = parameters;
  const { url } = options;
  const messages = (warmupRequests + requests) * options.batch;
  const driver = await openDriver('sqs-json', options);
  await fill(drain, messages);
  const lanes = Lanes.forWhatIsThere(driver, options.batch);
  lanes.takeUp(messages);
  const taken: ReceivedBatch[] = [];
  let counted = 0;
  const half = async (which: 'receive' | 'delete', request: autocannon.Request, amount: number) => {
    const tally = which === 'receive' ? lanes.ledger.received : lanes.ledger.deleted;
    const shots = { url, connections, requests: [request] };
    if (which !== timed) return shoot({ ...shots, amount });
    await shoot({ ...shots, amount: warmupRequests });
    await context.begin();
    const before = tally.count;
    await shoot({ ...shots, amount: amount - warmupRequests, onLast: () => context.end() });
    counted = tally.count - before;
  };
  const receive = receiveRequest(options, lanes.ledger, taken);
  await half('receive', receive, warmupRequests + requests);
  const remove = deleteRequest(options, lanes.ledger, [...taken]);
  await half('delete', remove, taken.length);
  await lanes.drainBy(drain);
  await driver.close();
  return { messages: counted, ledger: lanes.ledger.snapshot() };
};
