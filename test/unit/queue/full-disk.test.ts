import { expect, test } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { PartitionState, settingsOf } from '../../support/partition-state.ts';
import { checkInvariants } from '../../support/state-invariants.ts';

const QUEUES = [
  settingsOf(1, { deadLetterQueueId: 2, maxReceiveCount: 1, visibilityTimeoutMs: 1000 }),
  settingsOf(2),
  settingsOf(3, { visibilityTimeoutMs: 1001 }),
  settingsOf(4),
];

/** Queues 1 and 3 have a message in flight each, and the log takes no more records. */
function fullPartition(): { part: PartitionState; storage: FaultyStorage } {
  const storage = new FaultyStorage();
  const part = new PartitionState(storage, QUEUES, 0);
  part.send(1, [{ id: 1 }], 0);
  part.send(3, [{ id: 2 }], 0);
  part.receive(1, 1, 0);
  part.receive(3, 1, 0);
  part.endTurn();
  storage.capacityBytes = storage.usedBytes;
  let id = 3;
  expect(() => {
    for (;;) part.send(4, [{ id: id++ }], 0);
  }).toThrow('disk');
  part.endTurn();
  return { part, storage };
}

test('a dead letter that waits for space holds up no other deadline', () => {
  const { part, storage } = fullPartition();
  part.state.tick(2000);
  expect(part.state.inspect(3).visible).toBe(1);
  expect(part.state.inspect(1).inFlight).toBe(1);
  checkInvariants(part.state.store);
  storage.capacityBytes = Number.POSITIVE_INFINITY;
  part.state.tick(3000);
  expect(part.state.inspect(1).inFlight).toBe(0);
  expect(part.state.inspect(2).visible).toBe(1);
});

test('a partition recovers on a full disk, with deadlines past and queues gone', () => {
  const { part, storage } = fullPartition();
  storage.kill();
  part.recover(QUEUES.slice(0, 3), 2000);
  expect(part.state.inspect(3).visible).toBe(1);
  expect(part.receive(4, 1, 2000)).toBe('CAPSTAN_QUEUE_DOES_NOT_EXIST');
});
