/* What the checker of partitions makes of changes of visibility that overlap. */

import { expect, test } from 'vitest';
import { settingsOf } from '../support/partition-state.ts';
import { Checker } from './checker.ts';
import { Violation } from './violation.ts';
import type { Reply, Request } from './wire.ts';

const QUEUE_ID = 1;
const SEQUENCE = 7;
const RECEIPT = { slot: 1, sequence: SEQUENCE, delivery: 1 };

function replyOf(what: Partial<Reply>): Reply {
  return { correlation: 1, error: undefined, outcomes: [], deliveries: [], results: [], ...what };
}

function deliveredAs(count: number): Reply {
  return replyOf({ deliveries: [{ ...RECEIPT, delivery: count, id: 5, count, source: 0 }] });
}

/** A message is received for 20 s and asked to be visible at once, and asked to be held on before
 *  that was answered, which is refused; then it is received by another. */
function receiveAfterChanges(first: string | undefined): void {
  const checker = new Checker(new Map([[QUEUE_ID, settingsOf(QUEUE_ID)]]));
  let step = 0;
  const ask = (request: Request) => {
    const asked = { request, partition: 0, step: ++step, now: 1000 };
    checker.asked(asked);
    return (reply: Reply) => checker.replied(asked, reply, ++step, 1000);
  };
  const nothing = { groupId: undefined, deduplicationId: undefined, delayMs: undefined };
  const message = { id: 5, ...nothing, padding: 0 };
  const sent = { error: undefined, duplicate: false, sequence: SEQUENCE };
  ask({ op: 'send', queueId: QUEUE_ID, messages: [message] })(replyOf({ outcomes: [sent] }));
  const receive: Request = { op: 'receive', queueId: QUEUE_ID, max: 1, timeoutMs: 20_000 };
  const change = { op: 'change', queueId: QUEUE_ID, receipts: [RECEIPT] } as const;
  const received = ask(receive);
  const shortened = ask({ ...change, timeoutMs: 0 });
  const prolonged = ask({ ...change, timeoutMs: 15_000 });
  received(deliveredAs(1));
  shortened(replyOf({ results: [first] }));
  prolonged(replyOf({ results: ['CAPSTAN_MESSAGE_NOT_IN_FLIGHT'] }));
  ask(receive)(deliveredAs(2));
}

test('a message whose hold was ended by a change may come again, whatever the next came to', () => {
  expect(() => receiveAfterChanges(undefined)).not.toThrow();
});

test('a message whose changes were all refused is still held', () => {
  expect(() => receiveAfterChanges('CAPSTAN_MESSAGE_NOT_IN_FLIGHT')).toThrow(Violation);
});
