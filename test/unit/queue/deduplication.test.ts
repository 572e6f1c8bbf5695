import { expect, test } from 'vitest';
import { Hash128 } from '../../../src/base/hash.ts';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';

/** Two ids whose hashes agree in their first 32 bits, which chance brings in a queue of 100,000
 *  groups. */
function likelyPair(): [string, string] {
  const hash = new Hash128();
  const seed = Math.imul(1, 0x9e37_79b1) | 1;
  const seen = new Map<number, string>();
  for (let i = 0; ; i++) {
    const id = `group-${i}`;
    const bytes = Buffer.from(id);
    hash.digest(bytes, 0, bytes.length, seed);
    const other = seen.get(hash.a);
    if (other !== undefined) return [other, id];
    seen.set(hash.a, id);
  }
}

test('equal ids in two groups are no duplicates, whatever the groups are called', () => {
  const settings = settingsOf(1, { fifo: true, deduplicationPerGroup: true });
  const part = new PartitionState(new FaultyStorage(), [settings], 1000);
  const [one, other] = likelyPair();
  const results = part.send(
    1,
    [one, other, one].map((groupId, id) => ({ id, groupId, deduplicationId: 'same' })),
    1000,
  );
  expect(results.map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
});

test('where a group ends and an id begins makes a difference', () => {
  const settings = settingsOf(1, { fifo: true, deduplicationPerGroup: true });
  const part = new PartitionState(new FaultyStorage(), [settings], 1000);
  const results = part.send(
    1,
    [
      { id: 1, groupId: 'ab', deduplicationId: 'c' },
      { id: 2, groupId: 'a', deduplicationId: 'bc' },
    ],
    1000,
  );
  expect(results.map(({ duplicate }) => duplicate)).toEqual([false, false]);
});

test('an id outlives the region of the log that its message was in, and a restart', () => {
  const queues = [settingsOf(1, { fifo: true }), settingsOf(2)];
  const storage = new FaultyStorage();
  const part = new PartitionState(storage, queues, 1000);
  const message = { groupId: 'g', deduplicationId: 'same' };
  part.send(1, [{ id: 1, ...message }], 1000);
  part.delete(1, part.receive(1, 1, 1000) as MessageView[], 1000);
  for (let id = 2; part.log.currentRegion < 2; id++) part.send(2, [{ id, padding: 900 }], 1000);
  part.state.purge(2, 1000);
  part.state.tick(1000);
  part.endTurn();
  while (part.cleaner.step(1000));
  expect(part.log.firstRegion).toBeGreaterThan(0);
  storage.cutPower();
  part.recover(queues, 2000);
  const [again] = part.send(1, [{ id: 100, ...message }], 2000);
  expect(again).toMatchObject({ duplicate: true, sequence: 1 });
});
