/* The full cycle, closed loop: senders keep a bounded number of messages open, receivers receive
 * and delete them, all at once. A message counts when its deletion is acknowledged. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverOptions } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import type { Load } from '../harness/load-contract.ts';
import { Lanes } from './lanes.ts';

export interface CycleParameters {
  readonly driver: DriverName;
  readonly options: DriverOptions;
  readonly senders: number;
  readonly receivers: number;
  readonly openMax: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export const load: Load<CycleParameters> = async (parameters, context) => {
  const driver = await openDriver(parameters.driver, parameters.options);
  const lanes = Lanes.ofProcess(driver, parameters, context);
  await lanes.startReceivers();
  await lanes.startSenders();
  await sleep(parameters.warmupSeconds * 1000);
  await lanes.flowing();
  await context.begin();
  const before = lanes.ledger.deleted.count;
  await sleep(parameters.seconds * 1000);
  const messages = lanes.ledger.deleted.count - before;
  context.end();
  await lanes.drain();
  await driver.close();
  const { ledger, messagesPerReceive } = lanes;
  return { messages, ledger: ledger.snapshot(), figures: { messagesPerReceive } };
};
