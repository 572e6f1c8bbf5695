/* Nothing happens: clients are connected, consumers wait, and the server's CPU time is the
 * figure. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverOptions } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import type { Load } from '../harness/load-contract.ts';

export interface IdleParameters {
  readonly driver: DriverName;
  readonly options: DriverOptions;
  /** Consumers whose receive waits all the time. */
  readonly waiting: number;
  readonly seconds: number;
}

export const load: Load<IdleParameters> = async (parameters, context) => {
  const driver = await openDriver(parameters.driver, parameters.options);
  const over = new AbortController();
  const wait = async (): Promise<void> => {
    const receiver = await driver.receiver();
    while (!over.signal.aborted) await receiver.receive(1);
  };
  const all = Promise.all(Array.from({ length: parameters.waiting }, wait));
  // Consumers go on waiting for ever: only a failure of theirs ends the race below early.
  const failed = all.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined); // At the end their connections just close.
  await Promise.race([failed, sleep(1000)]);
  await context.begin();
  await Promise.race([failed, sleep(parameters.seconds * 1000)]);
  context.end();
  over.abort();
  await driver.close();
  return { messages: 1 };
};
