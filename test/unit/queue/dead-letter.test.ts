import { expect, test } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';

const QUEUES = [
  settingsOf(1, { deadLetterQueueId: 2, maxReceiveCount: 1, visibilityTimeoutMs: 1000 }),
  settingsOf(2),
];

test('a delete that finds its message dead-lettered is not undone by a power cut', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const storage = new FaultyStorage({ seed });
    const part = new PartitionState(storage, QUEUES, 0);
    part.send(1, [{ id: 1 }], 0);
    part.endTurn();
    const receipts = part.receive(1, 1, 0) as MessageView[];
    part.endTurn();
    part.state.tick(2000);
    part.endTurn();
    expect(part.delete(1, receipts, 2000)).toEqual([undefined]);
    part.endTurn();
    storage.cutPower();
    part.recover(QUEUES, 2000);
    expect(part.receive(1, 1, 2000)).toEqual([]);
    expect(part.state.inspect(2).visible).toBe(1);
  }
});
