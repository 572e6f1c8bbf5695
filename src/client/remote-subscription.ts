/* A subscription on a remote broker. It outlives connections: on each new one it is made again,
 * with the credit that is left. */

import type { BrokerError } from '../base/errors.ts';
import { FRAME } from '../wire/frame.ts';
import { FrameWriter } from '../wire/frame-writer.ts';
import type { Message, MessageQueue } from './message.ts';
import type { SubscribeOptions, SubscriptionSink, TransportSubscription } from './transport.ts';

interface Owner {
  /** Sends a frame on the present connection, if there is one. */
  post(frame: Uint8Array<ArrayBuffer>): void;
  stop(subscription: RemoteSubscription): Promise<void>;
}

export class RemoteSubscription implements TransportSubscription {
  readonly id: number;
  readonly queue: MessageQueue;
  readonly #options: SubscribeOptions;
  readonly #sink: SubscriptionSink;
  readonly #owner: Owner;
  /** Messages that may still come. */
  #credit: number;
  #ended = false;

  constructor(
    id: number,
    queue: MessageQueue,
    options: SubscribeOptions,
    sink: SubscriptionSink,
    owner: Owner,
  ) {
    this.id = id;
    this.queue = queue;
    this.#options = options;
    this.#sink = sink;
    this.#owner = owner;
    this.#credit = options.credit;
  }

  /** It was stopped, or is over. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Credit and options, as they end a SUBSCRIBE frame. */
  writeOptions(writer: FrameWriter): void {
    const { visibilityTimeoutMs, releaseOnDisconnect } = this.#options;
    writer.uint(this.#credit);
    writer.value({
      ...(visibilityTimeoutMs === undefined ? {} : { visibilityTimeoutMs }),
      ...(releaseOnDisconnect ? { releaseOnClose: true } : {}),
    });
  }

  started(answer: unknown): void {
    const { visibilityTimeoutMs } = answer as { visibilityTimeoutMs: number };
    this.#sink.onStarted(visibilityTimeoutMs);
  }

  deliver(messages: Message[]): void {
    this.#credit -= messages.length;
    this.#sink.onMessages(messages);
  }

  end(error: BrokerError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sink.onEnded(error);
  }

  grant(credit: number): void {
    if (this.#ended) return;
    this.#credit += credit;
    const writer = new FrameWriter(24);
    writer.array(3);
    writer.uint(FRAME.CREDIT);
    writer.uint(this.id);
    writer.uint(credit);
    this.#owner.post(writer.written);
  }

  stop(): Promise<void> {
    this.#ended = true;
    return this.#owner.stop(this);
  }
}
