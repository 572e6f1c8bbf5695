/* One subscription: as long as it has credit, a receive is under way for it, and what that
 * brings is pushed. It holds no messages itself: while the connection is backed up nothing is
 * taken out of the queue. Waiting receives of one queue are served in turn, and each push is
 * bounded, so subscribers share a queue evenly. */

import { BrokerError } from '../../base/errors.ts';
import { BATCH_ENTRIES_MAX, WAIT_MS_MAX } from '../../base/limits.ts';
import type { MessageSink } from '../../broker/native-service.ts';
import type { PendingReceive } from '../../broker/service.ts';
import * as delivery from '../../wire/delivery.ts';
import { CLOSE, CREDIT_MAX, FRAME, ProtocolViolation } from '../../wire/frame.ts';
import { InHand } from './in-hand.ts';
import type { OpenSubscription, Session } from './session.ts';

/** The most messages that one push holds, unless the subscriber asks for fewer. */
const PUSH_MESSAGES_MAX = 100;
/** After an error that passes by itself. */
const RETRY_MS = 200;

export interface SubscriptionOptions {
  readonly id: number;
  readonly queueName: string;
  readonly credit: number;
  readonly visibilityTimeoutMs: number | undefined;
  readonly batchMax: number | undefined;
  readonly releaseOnClose: boolean;
}

export class Subscription implements MessageSink, OpenSubscription {
  readonly id: number;
  readonly queueName: string;
  /** Undefined: what is unsettled at the end comes back at its deadline. */
  readonly inHand: InHand | undefined;
  heldBytes = 0;
  readonly #session: Session;
  readonly #visibilityTimeoutMs: number | undefined;
  readonly #batchMax: number;
  #credit: number;
  /** What the receive under way may bring, but for a single message that is larger. */
  #bytesAsked = 0;
  /** A receive is under way; `#receive` may still be the one before. */
  #receiving = false;
  #receive: PendingReceive | undefined;
  /** Called once the receive under way has ended: whoever has stopped the subscription. */
  #onEnded: (() => void)[] = [];
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(session: Session, options: SubscriptionOptions) {
    this.#session = session;
    this.id = options.id;
    this.queueName = options.queueName;
    this.#credit = options.credit;
    this.#visibilityTimeoutMs = options.visibilityTimeoutMs;
    this.#batchMax = Math.min(options.batchMax ?? PUSH_MESSAGES_MAX, BATCH_ENTRIES_MAX);
    this.inHand = options.releaseOnClose ? new InHand() : undefined;
  }

  grant(credit: number): void {
    if (this.#credit + credit > CREDIT_MAX) {
      throw new ProtocolViolation(CLOSE.OVER_LIMIT, `A credit goes up to ${CREDIT_MAX}.`);
    }
    this.#credit += credit;
    this.pump();
  }

  resume(): void {
    this.pump();
  }

  /** Sees to it that a receive is under way if there is credit for one. */
  pump(): void {
    if (this.#receiving || this.#retryTimer !== undefined) return;
    if (this.#closed || this.#credit === 0) return;
    const queue = this.#session.service.findQueue(this.queueName);
    if (queue === undefined) {
      const detail = `There is no queue "${this.queueName}".`;
      this.#end(new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', detail));
      return;
    }
    const { room } = this.#session;
    const max = Math.min(this.#credit, this.#batchMax);
    this.#bytesAsked = room.bytesFor(max);
    if (!room.hasRoom(this.#bytesAsked)) {
      room.park(this);
      return;
    }
    const options = {
      max,
      bytesMax: this.#bytesAsked,
      waitMs: WAIT_MS_MAX,
      visibilityTimeoutMs: this.#visibilityTimeoutMs,
      attemptId: undefined,
    };
    this.#receiving = true;
    this.#receive = this.#session.service.receiveEncoded(queue, options, this);
  }

  stop(onEnded: () => void): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    if (!this.#receiving) {
      onEnded();
      return;
    }
    if (this.#onEnded.push(onEnded) === 1) this.#receive!.cancel();
  }

  #tellEnded(): void {
    for (const onEnded of this.#onEnded.splice(0)) onEnded();
  }

  admit(): boolean {
    return this.#session.room.take(this, this.#bytesAsked);
  }

  withdraw(): void {
    this.#session.room.leave(this);
  }

  onParked(): void {
    this.#receiving = false;
    if (this.#closed) this.#tellEnded();
    else this.#session.room.park(this);
  }

  onMessages(bytes: Uint8Array, at: number, length: number, count: number): void {
    this.#receiving = false;
    this.#session.room.leave(this);
    if (count > 0) {
      this.#credit -= count;
      if (this.inHand !== undefined) this.#remember(bytes, at, count);
      this.#session.writeMessages(FRAME.PUSH, this.id, bytes, at, length, count);
    }
    if (this.#closed) this.#tellEnded();
    else this.pump();
  }

  #remember(bytes: Uint8Array, at: number, count: number): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let from = at;
    for (let i = 0; i < count; i++) {
      this.inHand!.add(buffer, from);
      from = delivery.deliveryEnd(view, from, bytes.length);
    }
  }

  onFailure(error: BrokerError): void {
    this.#receiving = false;
    this.#session.room.leave(this);
    if (this.#closed) {
      this.#tellEnded();
    } else if (error.retryable && error.code !== 'CAPSTAN_CLOSED') {
      this.#retryTimer = setTimeout(() => {
        this.#retryTimer = undefined;
        this.pump();
      }, RETRY_MS);
    } else {
      this.#end(error);
    }
  }

  #end(error: BrokerError): void {
    this.#closed = true;
    this.#session.endSubscription(this, error);
  }
}
