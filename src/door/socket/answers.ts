/* The answers to requests whose results come later: each writes one frame, unless the connection
 * has closed in the meantime. */

import type { BrokerError } from '../../base/errors.ts';
import type { EntrySink, ResultSink } from '../../broker/native-service.ts';
import { FRAME } from '../../wire/frame.ts';
import type { Session } from './session.ts';

export class SendAnswer implements EntrySink {
  readonly #session: Session;
  readonly #correlation: number;
  readonly #count: number;

  constructor(session: Session, correlation: number, count: number) {
    this.#session = session;
    this.#correlation = correlation;
    this.#count = count;
  }

  onSent(firstId: Uint8Array, firstSequence: number): void {
    if (this.#session.closed) return;
    this.#session.context.counters?.sent(this.#count);
    const writer = this.#session.answer(FRAME.SENT, 4, this.#correlation);
    writer.bytes(firstId);
    writer.uint(firstSequence);
  }

  onSentEach(results: Uint8Array): void {
    if (this.#session.closed) return;
    this.#session.context.counters?.sent(this.#count);
    const writer = this.#session.answer(FRAME.SENT_EACH, 4, this.#correlation);
    writer.uint(this.#count);
    writer.bytes(results);
  }

  onFailure(error: BrokerError): void {
    if (!this.#session.closed) this.#session.fail(this.#correlation, error);
  }
}

export class ReceiptsAnswer implements ResultSink {
  readonly #session: Session;
  readonly #correlation: number;
  readonly #count: number;
  readonly #deletes: boolean;

  constructor(session: Session, correlation: number, count: number, deletes: boolean) {
    this.#session = session;
    this.#correlation = correlation;
    this.#count = count;
    this.#deletes = deletes;
  }

  onResults(errors: Uint8Array | undefined): void {
    if (this.#session.closed) return;
    if (this.#deletes) this.#session.context.counters?.deleted(this.#count);
    if (errors === undefined) {
      this.#session.answer(FRAME.DONE, 2, this.#correlation);
      return;
    }
    const writer = this.#session.answer(FRAME.DONE_EACH, 4, this.#correlation);
    writer.uint(this.#count);
    writer.bytes(errors);
  }

  onFailure(error: BrokerError): void {
    if (!this.#session.closed) this.#session.fail(this.#correlation, error);
  }
}
