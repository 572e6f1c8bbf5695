import { expect, test } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';

const WORK = 1;
const DEAD = 2;

function partition(): PartitionState {
  const work = settingsOf(WORK, { deadLetterQueueId: DEAD, maxReceiveCount: 1 });
  return new PartitionState(new FaultyStorage(), [work, settingsOf(DEAD)], 1000);
}

function oldestOf(part: PartitionState, queueId: number): number {
  return part.state.inspect(queueId).oldestSentAt;
}

test('the oldest of a dead-letter queue is found wherever it stands among the dead', () => {
  const part = partition();
  for (let id = 1; id <= 5; id++) part.send(WORK, [{ id }], 1000 * id);
  const received = part.receive(WORK, 5, 6000) as MessageView[];
  // The oldest is the last that becomes a dead letter.
  for (const message of received.toReversed()) {
    part.changeVisibility(WORK, [message], 1000 * (10 - message.id), 6000);
  }
  for (let now = 6000; now <= 20_000; now += 1000) part.state.tick(now);
  part.receive(WORK, 5, 20_000);
  const dead = part.peek(DEAD, 5) as MessageView[];
  expect(dead.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
  expect(oldestOf(part, DEAD)).toBe(1000);
  expect(oldestOf(part, WORK)).toBe(0);
});

test('the oldest may be in flight, delayed, or back behind younger ones', () => {
  const part = partition();
  part.send(DEAD, [{ id: 1 }], 1000);
  part.send(DEAD, [{ id: 2, delayMs: 60_000 }], 2000);
  part.send(DEAD, [{ id: 3 }, { id: 4 }], 3000);
  expect(oldestOf(part, DEAD)).toBe(1000);
  const [first] = part.receive(DEAD, 1, 4000) as MessageView[];
  expect(oldestOf(part, DEAD)).toBe(1000);
  const rest = part.receive(DEAD, 2, 5000) as MessageView[];
  part.changeVisibility(DEAD, rest, 0, 5000);
  part.changeVisibility(DEAD, [first!], 0, 5001);
  part.state.tick(5002);
  expect(oldestOf(part, DEAD)).toBe(1000);
  part.delete(DEAD, part.receive(DEAD, 3, 6000) as MessageView[], 6000);
  expect(oldestOf(part, DEAD)).toBe(2000);
});
