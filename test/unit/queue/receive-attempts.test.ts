import { expect, it } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';

const NOW = 1_700_000_000_000;
const ATTEMPT = 77;
const FIFO = 1;
const BUSY = 2;
const OTHER_FIFO = 3;
const QUEUES = [
  settingsOf(FIFO, { fifo: true }),
  settingsOf(BUSY),
  settingsOf(OTHER_FIFO, { fifo: true }),
];
const ids = (received: MessageView[] | string) => (received as MessageView[]).map(({ id }) => id);

function receive(part: PartitionState, now: number): number[] {
  return ids(part.receive(FIFO, 10, now, { attempt: ATTEMPT, timeoutMs: 600_000 }));
}

/** Sends and deletes until what the log's first region told is somewhere else. */
function turnOver(part: PartitionState): void {
  const oldest = part.log.firstRegion;
  while (part.log.firstRegion === oldest) {
    part.send(BUSY, [{ id: 9, padding: 1000 }], NOW);
    part.delete(BUSY, part.receive(BUSY, 10, NOW) as MessageView[], NOW);
    part.endTurn();
    while (part.cleaner.step(NOW));
    part.endTurn();
  }
}

it('a repeated attempt gets its messages after a restart, though its log was given back', () => {
  const part = new PartitionState(new FaultyStorage(), QUEUES, NOW);
  const group = [1, 2, 3].map((id) => ({ id, groupId: 'g' }));
  part.send(FIFO, group, NOW);
  expect(receive(part, NOW)).toEqual([1, 2, 3]);
  turnOver(part);
  turnOver(part);
  part.storage.kill();
  part.recover(QUEUES, NOW + 299_999);
  expect(receive(part, NOW + 299_999)).toEqual([1, 2, 3]);
  part.endTurn();
  part.storage.kill();
  part.recover(QUEUES, NOW + 300_000);
  expect(receive(part, NOW + 300_000)).toEqual([]);
});

it('it gets them, too, when only they were in what was given back, and not the receive', () => {
  const part = new PartitionState(new FaultyStorage(), QUEUES, NOW);
  part.send(FIFO, [{ id: 1, groupId: 'g' }], NOW);
  const { firstRegion } = part.log;
  while (part.log.currentRegion === firstRegion) {
    part.send(BUSY, [{ id: 9, padding: 1000 }], NOW);
    part.endTurn();
  }
  expect(receive(part, NOW)).toEqual([1]);
  part.delete(BUSY, part.receive(BUSY, 100, NOW) as MessageView[], NOW);
  part.endTurn();
  while (part.log.firstRegion === firstRegion) part.cleaner.step(NOW);
  part.endTurn();
  part.storage.kill();
  part.recover(QUEUES, NOW);
  expect(receive(part, NOW)).toEqual([1]);
});

it('an attempt of the same name on another queue is another attempt', () => {
  const part = new PartitionState(new FaultyStorage(), QUEUES, NOW);
  part.send(FIFO, [{ id: 1, groupId: 'g' }], NOW);
  part.send(OTHER_FIFO, [{ id: 2, groupId: 'g' }], NOW);
  expect(receive(part, NOW)).toEqual([1]);
  expect(ids(part.receive(OTHER_FIFO, 10, NOW, { attempt: ATTEMPT }))).toEqual([2]);
  expect(receive(part, NOW)).toEqual([1]);
});
