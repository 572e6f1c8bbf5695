import { expect, test } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';

const NOW = 1000;
const NOISY_BACKLOG = 2000;

function partition(): PartitionState {
  return new PartitionState(new FaultyStorage(), [settingsOf(1, {})], NOW);
}

function receive(part: PartitionState, max: number): MessageView[] {
  return part.receive(1, max, NOW) as MessageView[];
}

test("quiet tenants of a standard queue do not wait for a noisy one's backlog", () => {
  const part = partition();
  const noisy = Array.from({ length: NOISY_BACKLOG }, (_, id) => ({ id, groupId: 'noisy' }));
  for (let from = 0; from < NOISY_BACKLOG; from += 50) {
    part.send(1, noisy.slice(from, from + 50), NOW);
  }
  const quiet = [10_001, 10_002, 10_003];
  part.send(1, [{ id: quiet[0]!, groupId: 'a' }], NOW);
  part.send(1, [{ id: quiet[1]!, groupId: 'b' }], NOW);
  part.send(1, [{ id: quiet[2]! }], NOW);
  const first = receive(part, 10).map(({ id }) => id);
  expect(first).toEqual(expect.arrayContaining(quiet));
  expect(first).toHaveLength(10);
});

test('messages that come back and new ones take turns', () => {
  const part = partition();
  part.send(
    1,
    Array.from({ length: 6 }, (_, id) => ({ id })),
    NOW,
  );
  for (const message of receive(part, 3)) part.changeVisibility(1, [message], 0, NOW);
  expect(receive(part, 6).map(({ id }) => id >= 3)).toEqual([
    true,
    false,
    true,
    false,
    true,
    false,
  ]);
});
