/* Sends only, closed loop, as fast as it goes. Afterwards, off the clock, everything is received
 * and deleted, and counted. */

import { setTimeout as sleep } from 'node:timers/promises';
import { openDriver } from '../drivers/drivers.ts';
import type { Load } from '../harness/load-contract.ts';
import type { CycleParameters } from './cycle.ts';
import { type DrainParameters, Lanes } from './lanes.ts';

export interface EnqueueParameters extends Omit<CycleParameters, 'openMax'> {
  /** Undefined: the server keeps nothing, so that there is nothing to count afterwards. */
  readonly drain?: DrainParameters | undefined;
}

export const load: Load<EnqueueParameters> = async (parameters, context) => {
  const { drain } = parameters;
  const driver = await openDriver(parameters.driver, parameters.options);
  const lanes = Lanes.ofProcess(
    driver,
    { ...parameters, openMax: Number.POSITIVE_INFINITY },
    context,
  );
  await lanes.startSenders();
  await sleep(parameters.warmupSeconds * 1000);
  await context.begin();
  const before = lanes.ledger.sent.count;
  await sleep(parameters.seconds * 1000);
  const messages = lanes.ledger.sent.count - before;
  context.end();
  lanes.stopSending();
  await lanes.sentAll();
  if (drain !== undefined) await lanes.drainBy(drain);
  await driver.close();
  return { messages, ledger: drain === undefined ? undefined : lanes.ledger.snapshot() };
};
