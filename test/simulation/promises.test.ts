/* What the checker of whole doors tells apart: a reply that was overtaken, and a move undone. */

import { expect, test } from 'vitest';
import { queueDefinition } from '../support/queue-definitions.ts';
import { Promises, type ReceiveCall, type Rules } from './promises.ts';
import { Violation } from './violation.ts';

const work = queueDefinition(1, 'work.fifo', { fifo: true });
const dead = queueDefinition(2, 'dead.fifo', { fifo: true });
const RULES: Rules = {
  deadLetterQueueId: 0,
  receiveCountMin: 1,
  receiveCountMax: 1,
  visibilityTimeoutMsMin: 1000,
  sendsOnly: false,
  ordered: true,
  destinationQueueId: 0,
  returns: false,
};

function receiveAt(step: number, queue: typeof work): ReceiveCall {
  return { queue, step, now: step, timeoutMs: 1000, attemptId: undefined };
}

/** One message, received from `work`, which is heard of after it was received from `dead`; the
 *  power went in between. */
function receiveFromDeadFirst(workCalledAtStep: number): void {
  const promises = new Promises((queueId) =>
    queueId === work.queueId ? { ...RULES, deadLetterQueueId: dead.queueId } : RULES,
  );
  promises.sendAsked({ queue: work, step: 1, now: 1 }, 5, 'g');
  promises.accepted(5, 'id', 2, 2, 2);
  const fromDead = receiveAt(3, dead);
  promises.receiveAsked(fromDead);
  promises.powerCut();
  const fromWork = receiveAt(workCalledAtStep, work);
  promises.receiveAsked(fromWork);
  const message = { id: 5, messageId: 'id', count: 1 };
  promises.received(fromDead, [{ ...message, sequence: 26 }], 20, 5000);
  promises.received(fromWork, [{ ...message, sequence: 2 }], 30, 6000);
}

test('a reply that was overtaken by a dead letter is no move', () => {
  expect(() => receiveFromDeadFirst(10)).not.toThrow();
});

test('a dead letter that is back in its queue for a later call is one that was undone', () => {
  expect(() => receiveFromDeadFirst(21)).toThrow(Violation);
});
