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
  readonly receivedAt: number;
  readonly messages: readonly AttemptedMessage[];
  /** Of the log, that tells of it. */
  region: number;
}

export class ReceiveAttempts {
  /** By the attempt's hash, which the router made of its id. In the order in which they end. */
  readonly #attempts = new Map<number, Attempt>();

  find(queueId: number, attempt: number, now: number): readonly AttemptedMessage[] | undefined {
    const found = this.#attempts.get(attempt);
    if (found === undefined || found.queueId !== queueId || hasEnded(found, now)) return undefined;
    return found.messages;
  }

  add(
    queueId: number,
    attempt: number,
    receivedAt: number,
    messages: readonly AttemptedMessage[],
    region: number,
  ): void {
    this.#attempts.delete(attempt);
    this.#attempts.set(attempt, { queueId, receivedAt, messages, region });
    for (const [other, each] of this.#attempts) {
      if (!hasEnded(each, receivedAt)) return;
      this.#attempts.delete(other);
    }
  }

  /** Calls `rewrite` with each attempt that regions before `region` tell of: it is told of in the
   *  region that `rewrite` returns from then on, or forgotten where that is undefined. */
  carryOver(
    region: number,
    now: number,
    rewrite: (attempt: number, of: Readonly<Attempt>) => number | undefined,
  ): void {
    for (const [attempt, each] of this.#attempts) {
      if (each.region >= region) continue;
      const moved = hasEnded(each, now) ? undefined : rewrite(attempt, each);
      if (moved === undefined) this.#attempts.delete(attempt);
      else each.region = moved;
    }
  }
}

function hasEnded({ receivedAt }: Attempt, now: number): boolean {
  return receivedAt + DEDUPLICATION_WINDOW_MS <= now;
}
