/* Consuming a queue: messages that are pushed to a subscription wait here, at most `prefetch` of
 * them, and go on to an iterator or to a handler.
 *
 * Invariants: credit is granted again only for messages that have left the buffer, so a slow
 * consumer holds a bounded number; a message whose visibility has run out in the buffer is
 * dropped, because another consumer may have it by then; a message that a handler works on is
 * kept hidden until the handler is done. */

import { type BrokerError, ERRORS } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX, VISIBILITY_TIMEOUT_MS_MAX } from '../base/limits.ts';
import { Slots } from '../base/slots.ts';
import { CREDIT_MAX } from '../wire/frame.ts';
import type { Message, MessageQueue } from './message.ts';
import type {
  ReceiptResults,
  SubscriptionSink,
  Transport,
  TransportSubscription,
} from './transport.ts';

const PREFETCH_DEFAULT = 10;
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 300_000;
/** Of the visibility timeout: how long a message may wait in the buffer, and how often the messages
 *  that handlers work on are kept hidden for longer. */
const BUFFERED_PART_MAX = 0.9;
const EXTENSION_PART = 1 / 3;
/** Extensions are never closer than this, however short the visibility timeout. */
const EXTENSION_MS_MIN = 50;

export interface ConsumeOptions {
  /** Messages that may wait here, 1 .. 1_000_000. By default 10; with a handler, twice its
   *  concurrency. */
  readonly prefetch?: number | undefined;
  /** Undefined: the queue's. */
  readonly visibilityTimeoutMs?: number | undefined;
  /** Ends the consumer like `stop()`. */
  readonly signal?: AbortSignal | undefined;
  /** Remote only: if the connection is lost, messages in hand are visible to others at once, not at
   *  their deadlines. What is worked on meanwhile is then handled twice. */
  readonly releaseOnDisconnect?: boolean | undefined;
}

export interface HandlerOptions extends ConsumeOptions {
  /** Handlers that run at the same time, 1 .. 1_000_000; by default 1. */
  readonly concurrency?: number | undefined;
  /** After a handler threw, the message is released with this delay. By default it doubles with
   *  each delivery, from one second up to five minutes. */
  readonly retryDelayMs?: number | ((message: Message, error: unknown) => number) | undefined;
  /** A handler threw, or what followed on one failed. */
  readonly onError?: ((error: unknown, message: Message) => void) | undefined;
}

/** Deletes the message when it is done, releases it when it throws. `signal` is aborted when the
 *  consumer stops. */
export type MessageHandler = (message: Message, signal: AbortSignal) => unknown;

interface Waiter {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(error: BrokerError): void;
}

const END: IteratorResult<Message, undefined> = { done: true, value: undefined };

export class Consumer implements AsyncIterableIterator<Message, undefined>, SubscriptionSink {
  readonly #queue: MessageQueue;
  readonly #transport: Transport;
  readonly #options: HandlerOptions;
  readonly #handler: MessageHandler | undefined;
  readonly #prefetch: number;
  readonly #subscription: TransportSubscription;
  readonly #buffer: Message[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #running = new Slots<Message>();
  /** Handlers, and deletes and releases that follow on them, that have not ended. */
  #underWay = 0;
  #onIdle: (() => void) | undefined;
  readonly #abort = new AbortController();
  readonly #finished: Promise<void>;
  #finish!: (error: BrokerError | undefined) => void;
  #failure: BrokerError | undefined;
  #visibilityTimeoutMs = VISIBILITY_TIMEOUT_MS_MAX;
  #extensions: ReturnType<typeof setInterval> | undefined;
  /** Messages that have left the buffer and that no credit was granted for yet. */
  #owed = 0;
  #stopping: Promise<void> | undefined;
  readonly #onAbort = (): void => void this.stop();

  constructor(
    queue: MessageQueue,
    transport: Transport,
    options: HandlerOptions,
    handler: MessageHandler | undefined,
  ) {
    this.#queue = queue;
    this.#transport = transport;
    this.#options = options;
    this.#handler = handler;
    const concurrency = options.concurrency ?? 1;
    this.#prefetch =
      options.prefetch ??
      (handler === undefined ? PREFETCH_DEFAULT : Math.min(CREDIT_MAX, 2 * concurrency));
    for (const [name, value] of Object.entries({ concurrency, prefetch: this.#prefetch })) {
      if (!Number.isInteger(value) || value < 1 || value > CREDIT_MAX) {
        const range = `from 1 to ${CREDIT_MAX}`;
        throw new RangeError(`${name} is ${value}; it must be a whole number ${range}.`);
      }
    }
    this.#finished = new Promise((resolve, reject) => {
      this.#finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Whoever does not look at `finished` must not be ended by it.
    this.#finished.catch(() => undefined);
    this.#subscription = transport.subscribe(
      queue,
      {
        credit: this.#prefetch,
        visibilityTimeoutMs: options.visibilityTimeoutMs,
        releaseOnDisconnect: options.releaseOnDisconnect ?? false,
      },
      this,
    );
    if (options.signal?.aborted === true) this.#onAbort();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Resolves when the consumer has stopped and its handlers are done. Rejects when it ended by
   *  itself: its queue was deleted, or its broker closed for good. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  // What the subscription tells.

  onStarted(visibilityTimeoutMs: number): void {
    this.#visibilityTimeoutMs = visibilityTimeoutMs;
    if (this.#handler === undefined || visibilityTimeoutMs === 0) return;
    clearInterval(this.#extensions);
    const intervalMs = Math.max(EXTENSION_MS_MIN, visibilityTimeoutMs * EXTENSION_PART);
    this.#extensions = setInterval(() => this.#extend(), intervalMs);
  }

  onMessages(messages: Message[]): void {
    for (const message of messages) this.#buffer.push(message);
    if (this.#stopping !== undefined) {
      this.#releaseBuffer();
      return;
    }
    if (this.#handler === undefined) this.#serveWaiters();
    else this.#runHandlers();
  }

  onEnded(error: BrokerError): void {
    this.#failure = error;
    void this.stop();
  }

  // The iterator.

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    const message = this.#stopping === undefined ? this.#take() : undefined;
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    if (this.#stopping !== undefined) {
      const failure = this.#failure;
      return failure === undefined ? Promise.resolve(END) : Promise.reject(failure);
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<Message, undefined>> {
    await this.stop();
    return END;
  }

  #serveWaiters(): void {
    while (this.#waiters.length > 0) {
      const message = this.#take();
      if (message === undefined) return;
      this.#waiters.shift()!.resolve({ done: false, value: message });
    }
  }

  /** The next message that is still ours; undefined: none has come. */
  #take(): Message | undefined {
    const oldestMs = performance.now() - this.#visibilityTimeoutMs * BUFFERED_PART_MAX;
    let message = this.#buffer.shift();
    while (message !== undefined) {
      this.#owed++;
      if (message.arrivedAtMs >= oldestMs) break;
      message = this.#buffer.shift();
    }
    // In portions, so that not every message costs a frame.
    if (this.#owed * 2 >= this.#prefetch || this.#buffer.length === 0) this.#grant();
    return message;
  }

  #grant(): void {
    if (this.#owed === 0) return;
    this.#subscription.grant(this.#owed);
    this.#owed = 0;
  }

  // The handlers.

  #runHandlers(): void {
    const concurrency = this.#options.concurrency ?? 1;
    while (this.#running.size < concurrency && this.#stopping === undefined) {
      const message = this.#take();
      if (message === undefined) return;
      this.#track(this.#handle(message, this.#running.add(message)));
    }
  }

  #track(work: Promise<void>): void {
    this.#underWay++;
    void work.finally(() => {
      if (--this.#underWay === 0) this.#onIdle?.();
    });
  }

  /** Never rejects. */
  async #handle(message: Message, slot: number): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    try {
      await this.#handler!(message, this.#abort.signal);
    } catch (error) {
      failure = { error };
    }
    this.#running.delete(slot);
    // The next message need not wait until this one is settled.
    const settled = failure === undefined ? message.delete() : this.#retry(message, failure.error);
    this.#runHandlers();
    try {
      await settled;
    } catch (error) {
      this.#options.onError?.(error, message);
    }
  }

  async #retry(message: Message, error: unknown): Promise<void> {
    this.#options.onError?.(error, message);
    const { retryDelayMs = backoffMs } = this.#options;
    await message.release(
      typeof retryDelayMs === 'number' ? retryDelayMs : retryDelayMs(message, error),
    );
  }

  /** Keeps everything hidden that handlers work on. */
  #extend(): void {
    if (this.#running.size === 0) return;
    const messages = [...this.#running];
    const report = (error: unknown, message: Message) => {
      // A handler that has just deleted or released its message itself.
      if ([...this.#running].includes(message)) this.#options.onError?.(error, message);
    };
    this.#hide(messages, this.#visibilityTimeoutMs, false).then(
      (results) => {
        for (const [i, code] of results.entries()) {
          if (code === undefined || code === 'CAPSTAN_MESSAGE_NOT_IN_FLIGHT') continue;
          report(new Error(`A message was not kept hidden. ${ERRORS[code].advice}`), messages[i]!);
        }
      },
      (error: unknown) => report(error, messages[0]!),
    );
  }

  /** Any number of messages, in batches of what a transport takes. */
  async #hide(
    messages: readonly Message[],
    timeoutMs: number,
    release: boolean,
  ): Promise<ReceiptResults> {
    const { name } = this.#queue;
    const batches: Promise<ReceiptResults>[] = [];
    for (let from = 0; from < messages.length; from += BATCH_ENTRIES_MAX) {
      const batch = messages.slice(from, from + BATCH_ENTRIES_MAX);
      const timeoutsMs = batch.map(() => timeoutMs);
      batches.push(this.#transport.changeVisibility(name, batch, timeoutsMs, release, {}));
    }
    return (await Promise.all(batches)).flat();
  }

  // The end.

  /** Takes no more messages, gives those back that wait here, and lets running handlers finish: one
   *  of them that waits for this waits for itself. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#abort.abort();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    for (const waiter of this.#waiters.splice(0)) {
      if (this.#failure === undefined) waiter.resolve(END);
      else waiter.reject(this.#failure);
    }
    await this.#subscription.stop();
    this.#releaseBuffer();
    while (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    clearInterval(this.#extensions);
    this.#finish(this.#failure);
  }

  #releaseBuffer(): void {
    const messages = this.#buffer.splice(0);
    if (messages.length === 0) return;
    this.#track(
      this.#hide(messages, 0, true).then(
        () => undefined,
        // They come back at their deadlines.
        () => undefined,
      ),
    );
  }
}

function backoffMs({ receiveCount }: Message): number {
  return Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** (receiveCount - 1));
}
