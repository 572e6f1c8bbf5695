import { describe, expect, it } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';
import { checkInvariants } from '../../support/state-invariants.ts';

const NOW = 1_700_000_000_000;
const FIFO = 1;
const DEAD = 2;
const QUEUES = [
  settingsOf(FIFO, { fifo: true, deadLetterQueueId: DEAD, maxReceiveCount: 1 }),
  settingsOf(DEAD, { fifo: true }),
];
const IDS = Array.from({ length: 20 }, (_, id) => id);

function partitionWithGroup(): PartitionState {
  const part = new PartitionState(new FaultyStorage(), QUEUES, NOW);
  const messages = IDS.map((id) => ({ id, groupId: 'g' }));
  part.send(FIFO, messages, NOW);
  return part;
}

function receive(part: PartitionState, queueId: number, now: number): MessageView[] {
  const received = part.receive(queueId, 100, now, { timeoutMs: 1000 });
  if (typeof received === 'string') throw new Error(received);
  return received;
}

function deadOrder(part: PartitionState, now: number): number[] {
  part.endTurn();
  checkInvariants(part.state.store);
  part.storage.kill();
  part.recover(QUEUES, now);
  return receive(part, DEAD, now).map(({ id }) => id);
}

describe('messages of a FIFO group that were received too often', () => {
  it('reach the dead-letter queue in the order of their group when their deadlines are one', () => {
    const part = partitionWithGroup();
    expect(receive(part, FIFO, NOW)).toHaveLength(IDS.length);
    part.state.tick(NOW + 1000);
    expect(deadOrder(part, NOW + 1000)).toEqual(IDS);
  });

  it('wait for those before them whose deadlines are later', () => {
    const part = partitionWithGroup();
    const received = receive(part, FIFO, NOW);
    received.toReversed().forEach((each, i) => {
      expect(part.changeVisibility(FIFO, [each], 10 + i, NOW)).toEqual([undefined]);
    });
    for (let now = NOW; now < NOW + 10 + IDS.length - 1; now++) part.state.tick(now);
    expect(receive(part, DEAD, NOW)).toEqual([]);
    part.state.tick(NOW + 10 + IDS.length);
    expect(deadOrder(part, NOW + 2000)).toEqual(IDS);
  });
});
