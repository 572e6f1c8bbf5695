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

interface Attempt {
  readonly queueId: number;
  readonly endsAt: number;
  readonly messages: readonly AttemptedMessage[];
}

export class ReceiveAttempts {
  /** By the attempt's hash, which the router made of its id. In the order in which they end. */
  readonly #attempts = new Map<number, Attempt>();

  find(queueId: number, attempt: number, now: number): readonly AttemptedMessage[] | undefined {
    const found = this.#attempts.get(attempt);
    if (found === undefined || found.queueId !== queueId || found.endsAt <= now) return undefined;
    return found.messages;
  }

  add(queueId: number, attempt: number, now: number, messages: readonly AttemptedMessage[]): void {
    this.#attempts.delete(attempt);
    this.#attempts.set(attempt, { queueId, endsAt: now + DEDUPLICATION_WINDOW_MS, messages });
    this.#expire(now);
  }

  #expire(now: number): void {
    for (const [attempt, { endsAt }] of this.#attempts) {
      if (endsAt > now) return;
      this.#attempts.delete(attempt);
    }
  }
}
