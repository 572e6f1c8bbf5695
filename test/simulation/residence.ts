/* A message's stay in a queue, as the checkers know it, and when it may end: what is promised of
 * partitions by themselves and of whole doors alike. */

import { insist } from './violation.ts';

export interface Resident {
  readonly id: number;
  /** Where it was seen last, or sent to. */
  queueId: number;
  /** The largest that was seen in that queue. */
  count: number;
  /** Nobody else gets it before. */
  heldUntil: number;
  /** Somebody asked for something that takes it away. */
  mayBeGone: boolean;
  /** Somebody asked for something that may take it elsewhere. */
  mayHaveMoved: boolean;
}

/** What a queue does with a message that is received in vain. */
export interface Limit {
  /** 0: none. */
  readonly deadLetterQueueId: number;
  /** It is a dead letter after so many receives, at the earliest. */
  readonly receiveCountMin: number;
}

/** It may be a dead letter by now.
 *  @param unseen receives that may have got it, and that nobody saw */
function isExhausted({ count }: Resident, limit: Limit, unseen: number): boolean {
  return limit.deadLetterQueueId !== 0 && count + unseen >= limit.receiveCountMin;
}

/** It is seen in another queue than before.
 *  @param from what held where it was
 *  @param lossy receives of it may have been forgotten */
export function enter(
  message: Resident,
  queueId: number,
  from: Limit,
  unseen: number,
  lossy: boolean,
): void {
  const { id, count, mayHaveMoved } = message;
  const { deadLetterQueueId, receiveCountMin } = from;
  if (deadLetterQueueId === queueId) {
    insist(
      mayHaveMoved || lossy || isExhausted(message, from, unseen),
      `${id} is a dead letter after ${count} receives of ${receiveCountMin}`,
    );
  } else {
    insist(mayHaveMoved, `${id} was moved by nobody`);
  }
  message.queueId = queueId;
  beginAnew(message);
}

/** It has left its queue, and is in it again.
 *  @param returns whether messages that leave it can come back */
export function reenter(message: Resident, returns: boolean): void {
  const { id, mayHaveMoved } = message;
  insist(mayHaveMoved && returns, `${id} has another sequence, and was not moved back`);
  beginAnew(message);
}

function beginAnew(message: Resident): void {
  message.count = 0;
  message.heldUntil = 0;
}

/** None of those `before` it in its group is still to come.
 *  @param batch what came in the same reply, ahead of it */
export function requireTurn(
  { id }: Resident,
  before: Iterable<Resident>,
  batch: ReadonlySet<number>,
  limit: Limit,
  unseen: number,
): void {
  for (const other of before) {
    if (other.mayBeGone || batch.has(other.id)) continue;
    insist(isExhausted(other, limit, unseen), `${id} overtook ${other.id} of its group`);
  }
}
