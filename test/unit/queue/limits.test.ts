import { expect, test } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { PartitionState, settingsOf } from '../../support/partition-state.ts';

const NOW = 1000;

test('a partition without a free slot refuses sends until messages are deleted', () => {
  const fifo = settingsOf(2, { fifo: true });
  const part = new PartitionState(new FaultyStorage(), [settingsOf(1), fifo], NOW);
  part.send(1, [{ id: 1 }], NOW);
  const { table } = part.state;
  const before = table.count;
  table.count += table.room - 1;
  const both = [
    { id: 2, groupId: 'a' },
    { id: 3, groupId: 'a' },
  ];
  for (const queueId of [1, 2]) {
    const results = part.send(queueId, both, NOW);
    expect(results.map(({ error }) => error)).toEqual(['CAPSTAN_OVER_LIMIT', 'CAPSTAN_OVER_LIMIT']);
  }
  expect(part.send(1, [{ id: 4 }], NOW)[0]!.error).toBeUndefined();
  expect(table.room).toBe(0);
  table.count = before + 1;
  const received = part.receive(1, 10, NOW);
  if (typeof received === 'string') throw new Error(received);
  expect(received.map(({ id }) => id)).toEqual([1, 4]);
  part.delete(1, received, NOW);
  expect(part.send(2, both, NOW).map(({ error }) => error)).toEqual([undefined, undefined]);
});
