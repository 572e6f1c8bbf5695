/* A subscription on the engine of the same process: as long as it has credit, one receive waits for
 * it. */

import { BrokerError } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX, WAIT_MS_MAX } from '../base/limits.ts';
import type { QueueService } from '../broker/service.ts';
import type { MessageQueue } from '../client/message.ts';
import type {
  SubscribeOptions,
  SubscriptionSink,
  TransportSubscription,
} from '../client/transport.ts';
import { EmbeddedMessage } from './embedded-message.ts';

/** After an error that passes by itself. */
const RETRY_MS = 200;

export class EmbeddedSubscription implements TransportSubscription {
  readonly #service: QueueService;
  readonly #queue: MessageQueue;
  readonly #visibilityTimeoutMs: number | undefined;
  readonly #sink: SubscriptionSink;
  readonly #abort = new AbortController();
  readonly #finished: Promise<void>;
  #credit: number;
  /** Ends a pause for want of credit. */
  #onCredit: (() => void) | undefined;

  constructor(
    service: QueueService,
    queue: MessageQueue,
    options: SubscribeOptions,
    sink: SubscriptionSink,
  ) {
    this.#service = service;
    this.#queue = queue;
    this.#visibilityTimeoutMs = options.visibilityTimeoutMs;
    this.#sink = sink;
    this.#credit = options.credit;
    this.#finished = this.#run();
  }

  grant(credit: number): void {
    this.#credit += credit;
    this.#onCredit?.();
  }

  stop(): Promise<void> {
    this.#abort.abort();
    this.#onCredit?.();
    return this.#finished;
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // Nothing is told before the caller has the subscription.
    let started = false;
    while (!this.#stopped) {
      try {
        const queue = this.#service.findQueue(this.#queue.name);
        if (queue === undefined) {
          const detail = `There is no queue "${this.#queue.name}".`;
          throw new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', detail);
        }
        if (!started) {
          started = true;
          const ofQueue = queue.attributes.visibilityTimeoutMs;
          this.#sink.onStarted(this.#visibilityTimeoutMs ?? ofQueue);
        }
        await this.#receive(queue);
      } catch (error) {
        if (await this.#isOver(error)) return;
      }
    }
  }

  async #receive(queue: Parameters<QueueService['receive']>[0]): Promise<void> {
    if (this.#credit === 0) {
      await new Promise<void>((resolve) => {
        this.#onCredit = resolve;
      });
      this.#onCredit = undefined;
      return;
    }
    const messages = await this.#service.receive(queue, {
      max: Math.min(this.#credit, BATCH_ENTRIES_MAX),
      waitMs: WAIT_MS_MAX,
      visibilityTimeoutMs: this.#visibilityTimeoutMs,
      signal: this.#abort.signal,
    });
    if (messages.length === 0) return;
    this.#credit -= messages.length;
    const now = performance.now();
    this.#sink.onMessages(
      messages.map((each) => new EmbeddedMessage(this.#queue, now, each, false)),
    );
  }

  /** What passes by itself is waited for; the rest ends the subscription. */
  async #isOver(error: unknown): Promise<boolean> {
    if (this.#stopped) return true;
    if (!(error instanceof BrokerError)) throw error;
    if (!error.retryable || error.code === 'CAPSTAN_CLOSED') {
      this.#sink.onEnded(error);
      return true;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.#onCredit = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onCredit = undefined;
    return false;
  }
}
