/* Traffic that leaves one message behind now and then: batches are sent, received and deleted, but
 * for a poisoned message in each stretch, which goes to a queue that nobody receives from. */

import type { DriverOptions } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import { Ledger } from '../harness/ledger.ts';
import type { Load } from '../harness/load-contract.ts';

export interface StragglerParameters {
  readonly driver: DriverName;
  readonly options: DriverOptions;
  readonly poisonQueue: string;
  readonly messages: number;
  /** One poisoned message to so many. */
  readonly messagesPerPoison: number;
  readonly lanes: number;
}

export const load: Load<StragglerParameters> = async (parameters, context) => {
  const { options, poisonQueue, messages, messagesPerPoison, lanes } = parameters;
  const { batch } = options;
  const driver = await openDriver(parameters.driver, options);
  await driver.createQueue();
  await driver.createQueue(poisonQueue);
  const poison = await driver.sender(poisonQueue);
  const ledger = new Ledger();
  let next = 0;
  let poisoned = 0;
  const lane = async (): Promise<void> => {
    const sender = await driver.sender();
    const receiver = await driver.receiver();
    while (next < messages) {
      const first = next;
      next += batch;
      await sender.send(first, batch);
      ledger.sent.addRange(first, batch);
      if (first >= poisoned * messagesPerPoison) await poison.send(poisoned++, 1);
      for (let open = batch; open > 0; ) {
        const { sequences, receipts } = await receiver.receive(open);
        ledger.received.addAll(sequences);
        if (sequences.length > 0) await receiver.delete(receipts);
        ledger.deleted.addAll(sequences);
        open -= sequences.length;
      }
    }
  };
  await context.begin();
  await Promise.all(Array.from({ length: lanes }, lane));
  context.end();
  await driver.close();
  const { count } = ledger.deleted;
  return { messages: count, ledger: ledger.snapshot(), figures: { poisoned } };
};
