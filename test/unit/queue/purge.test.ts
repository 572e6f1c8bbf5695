import { expect, test } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';
import { checkInvariants } from '../../support/state-invariants.ts';

test('a group goes on in order after a purge in the same turn', () => {
  const part = new PartitionState(new FaultyStorage(), [settingsOf(1, { fifo: true })], 1000);
  const send = (...ids: number[]) =>
    part.send(
      1,
      ids.map((id) => ({ id, groupId: 'g' })),
      1000,
    );
  const receive = (max: number) => part.receive(1, max, 1000) as MessageView[];
  const order = [1, 0] as const;
  const giveBack = (messages: MessageView[]) => {
    for (const i of order) part.changeVisibility(1, [messages[i]!], 0, 1000);
  };
  send(1, 2, 3);
  giveBack(receive(2));
  part.state.purge(1, 1000);
  send(11, 12, 13);
  giveBack(receive(2));
  expect(receive(10).map(({ id }) => id)).toEqual([11, 12, 13]);
  part.state.tick(1000);
  checkInvariants(part.state.store);
});
