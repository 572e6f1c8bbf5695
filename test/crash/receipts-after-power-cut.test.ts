/* A power cut may take messages that were handed out: all that was not synced yet, where durability
 * is not `fsync`. Their receipts are still out there, and must be good for nothing. */

import { expect, test } from 'vitest';
import { SILENT_LOGGER } from '../../src/base/logger.ts';
import { builtBroker } from '../support/built.ts';
import { FaultyStorage } from '../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../support/partition-state.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const QUEUES = [settingsOf(1)];
const BODY = { id: 7, padding: 100 };

/** A partition whose power failed: it has forgotten the message that `receipt` is of. */
function forgetful(seed: number): { part: PartitionState; receipt: MessageView } | undefined {
  const storage = new FaultyStorage({ seed });
  const part = new PartitionState(storage, QUEUES, 0);
  part.send(1, [BODY], 0);
  part.log.write();
  const [receipt] = part.receive(1, 1, 0) as MessageView[];
  part.log.write();
  storage.cutPower();
  part.recover(QUEUES, 1000);
  if (part.state.table.count > 0) return undefined;
  part.state.store.beginLife(1000);
  return { part, receipt: receipt! };
}

test('a receipt for a message that a power cut took deletes no message that comes later', () => {
  let tried = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const after = forgetful(seed);
    if (after === undefined) continue;
    tried++;
    const { part, receipt } = after;
    part.send(1, [{ ...BODY, id: 8 }], 1000);
    part.endTurn();
    const [later] = part.receive(1, 1, 1000) as MessageView[];
    expect({ ...later, id: 8 }).toMatchObject({ slot: receipt.slot, delivery: receipt.delivery });
    part.delete(1, [receipt], 1000);
    expect(part.dump().get(1)).toHaveLength(1);
  }
  expect(tried).toBeGreaterThan(0);
});

test('a new life of a partition has sequences that no earlier one had', async () => {
  const Broker = await builtBroker();
  using folder = temporaryFolder();
  const sequenceOfNext = async (): Promise<number> => {
    const broker = await Broker.open({ data: folder.path, partitions: 1, logger: SILENT_LOGGER });
    try {
      const queue = await broker.service.createQueue('orders', {});
      const [outcome] = await broker.service.send(queue, [{ body: 'one' }]);
      return outcome!.sequenceNumber;
    } finally {
      await broker.close();
    }
  };
  const first = await sequenceOfNext();
  // Every millisecond between the two starts is good for as many as a partition can take in it.
  expect((await sequenceOfNext()) - first).toBeGreaterThan(1000);
});
