/* Receives of FIFO queues that named an attempt: a repeat within five minutes gets the same
 * messages. Few clients name one, so these are objects. Owned by the partition's thread. Rule: SQS
 * ReceiveRequestAttemptId. */

import { DEDUPLICATION_WINDOW_MS } from '../base/limits.ts';

/** One message that an attempt was given. */
export interface AttemptedMessage {
  readonly slot: number;
  readonly sequence: number;
  readonly delivery: number;
}

export interface Attempt {
  readonly queueId: number;
  /** The hash that the router made of its id. */
  readonly attempt: number;
  readonly receivedAt: number;
  readonly messages: readonly AttemptedMessage[];
}

export class ReceiveAttempts {
  /** By queue and attempt. In the order in which they end. */
  readonly #attempts = new Map<string, Attempt>();

  find(queueId: number, attempt: number, now: number): readonly AttemptedMessage[] | undefined {
    const found = this.#attempts.get(keyOf(queueId, attempt));
    return found === undefined || hasEnded(found, now) ? undefined : found.messages;
  }

  add(
    queueId: number,
    attempt: number,
    receivedAt: number,
    messages: readonly AttemptedMessage[],
  ): void {
    const key = keyOf(queueId, attempt);
    this.#attempts.delete(key);
    this.#attempts.set(key, { queueId, attempt, receivedAt, messages });
    for (const [other, each] of this.#attempts) {
      if (!hasEnded(each, receivedAt)) return;
      this.#attempts.delete(other);
    }
  }

  /** Calls `rewrite` with each attempt, before regions of the log are given up: also with those
   *  that younger regions tell of, because a replay finds the messages of those only later, where
   *  they were copied to. Those for which it returns false are forgotten. */
  rewrite(now: number, rewrite: (of: Attempt) => boolean): void {
    for (const [key, each] of this.#attempts) {
      if (hasEnded(each, now) || !rewrite(each)) this.#attempts.delete(key);
    }
  }
}

function keyOf(queueId: number, attempt: number): string {
  return `${queueId}/${attempt}`;
}

function hasEnded({ receivedAt }: Attempt, now: number): boolean {
  return receivedAt + DEDUPLICATION_WINDOW_MS <= now;
}
