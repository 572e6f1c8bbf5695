/* Requests that carry one call each. */

import type { BrokerError } from '../base/errors.ts';
import { FRAME, malformed } from '../wire/frame.ts';
import type { FrameReader } from '../wire/frame-reader.ts';
import type { Message } from './message.ts';
import { type Call, ClientRequest, expireCalls } from './request.ts';

abstract class SingleRequest<T> extends ClientRequest {
  protected readonly call: Call<T>;

  constructor(call: Call<T>) {
    super();
    this.call = call;
  }

  onFailure(error: BrokerError): void {
    this.call.reject(error);
  }

  expire(now: number): boolean {
    return expireCalls([this.call], now);
  }
}

/** Is answered with messages. */
export class MessagesRequest extends SingleRequest<Message[]> {
  readonly #read: (count: number, reader: FrameReader) => Message[];

  /** @param read reads the messages, also when nobody waits for them any longer. */
  constructor(call: Call<Message[]>, read: (count: number, reader: FrameReader) => Message[]) {
    super(call);
    this.#read = read;
  }

  onAnswer(kind: number, reader: FrameReader): void {
    if (kind !== FRAME.MESSAGES) throw malformed('A request for messages has another answer.');
    this.call.resolve(this.#read(reader.uint(), reader));
  }
}

/** Is answered with a value, or with that it is done. */
export class ValueRequest extends SingleRequest<unknown> {
  override readonly once: boolean;

  constructor(call: Call<unknown>, once: boolean) {
    super(call);
    this.once = once;
  }

  onAnswer(kind: number, reader: FrameReader): void {
    if (kind === FRAME.RESULT) this.call.resolve(reader.value());
    else if (kind === FRAME.DONE) this.call.resolve(undefined);
    else throw malformed('A call has another answer.');
  }
}
