/* One RECEIVE, from its frame to its answer. It may be parked for want of room, and takes up its
 * wait where it was when there is some again. */

import type { BrokerError } from '../../base/errors.ts';
import type { MessageSink } from '../../broker/native-service.ts';
import type { PendingReceive } from '../../broker/service.ts';
import { FRAME } from '../../wire/frame.ts';
import type { Parked } from './room.ts';
import type { Session } from './session.ts';

interface ReceiveFields {
  readonly max: number;
  readonly waitMs: number;
  readonly visibilityTimeoutMs: number | undefined;
  readonly attemptId: string | undefined;
}

const NOTHING = new Uint8Array(0);

export class ReceiveRequest implements MessageSink, PendingReceive, Parked {
  readonly correlation: number;
  heldBytes = 0;
  readonly #session: Session;
  /** Among the session's receives. */
  readonly #slot: number;
  readonly #queueName: string;
  readonly #options: ReceiveFields;
  readonly #until: number;
  /** It is parked: no receive is under way, and `#receive` is one before. */
  #parked = true;
  #receive: PendingReceive | undefined;
  #bytesAsked = 0;
  #done = false;

  constructor(session: Session, correlation: number, queueName: string, options: ReceiveFields) {
    this.#session = session;
    this.correlation = correlation;
    this.#queueName = queueName;
    this.#options = options;
    this.#until = performance.now() + options.waitMs;
    this.#slot = session.receives.add(this);
  }

  /** Begins, or goes on after it was parked. */
  resume(): void {
    if (this.#done) return;
    const { room, service } = this.#session;
    const queue = service.findQueue(this.#queueName);
    if (queue === undefined) {
      this.#answer(NOTHING, 0, 0, 0);
      return;
    }
    this.#bytesAsked = room.bytesFor(this.#options.max);
    if (!room.hasRoom(this.#bytesAsked)) {
      room.park(this);
      return;
    }
    const waitMs = Math.max(0, Math.ceil(this.#until - performance.now()));
    const options = { ...this.#options, waitMs, bytesMax: this.#bytesAsked };
    this.#parked = false;
    this.#receive = service.receiveEncoded(queue, options, this);
  }

  cancel(): void {
    if (this.#parked) this.#answer(NOTHING, 0, 0, 0);
    else this.#receive!.cancel();
  }

  admit(): boolean {
    return this.#session.room.take(this, this.#bytesAsked);
  }

  withdraw(): void {
    this.#session.room.leave(this);
  }

  onParked(): void {
    this.#parked = true;
    this.#session.room.park(this);
  }

  onMessages(bytes: Uint8Array, at: number, length: number, count: number): void {
    this.#answer(bytes, at, length, count);
  }

  onFailure(error: BrokerError): void {
    if (this.#end()) this.#session.fail(this.correlation, error);
  }

  #answer(bytes: Uint8Array, at: number, length: number, count: number): void {
    if (this.#end()) {
      this.#session.writeMessages(FRAME.MESSAGES, this.correlation, bytes, at, length, count);
    }
  }

  /** False: it has ended before, or its connection has. */
  #end(): boolean {
    this.#session.room.forget(this);
    if (this.#done) return false;
    this.#done = true;
    this.#session.receives.delete(this.#slot);
    return !this.#session.closed;
  }
}
