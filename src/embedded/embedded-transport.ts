/* The engine of the same process behind the objects of the API: calls go to the broker's router, no
 * bytes are packed, and a message in hand is settled without its receipt ever becoming text. */

import { BrokerError } from '../base/errors.ts';
import { QUEUES_LISTED_MAX } from '../base/limits.ts';
import type { Broker as Engine } from '../broker/broker.ts';
import type {
  DeliveredMessage,
  QueueService,
  ReceiptSource as ServiceReceipt,
} from '../broker/service.ts';
import { attributeBlock } from '../client/entry-writer.ts';
import type { Message, MessageQueue, ReceiptSource } from '../client/message.ts';
import type {
  QueueCalls,
  ReceiptResults,
  SubscribeOptions,
  SubscriptionSink,
  Transport,
  TransportSubscription,
} from '../client/transport.ts';
import type {
  BrokerState,
  MessageInput,
  ReceiveOptions,
  RequestOptions,
  SendResult,
  StateListener,
} from '../client/types.ts';
import type { OutgoingMessage } from '../command/message-entry.ts';
import type { QueueAttributes, QueueDefinition } from '../command/queue-definition.ts';
import { EmbeddedMessage } from './embedded-message.ts';
import { EmbeddedSubscription } from './embedded-subscription.ts';

export class EmbeddedTransport implements Transport {
  readonly calls: QueueCalls;
  readonly #engine: Engine;
  readonly #service: QueueService;
  readonly #listeners = new Set<StateListener>();
  #state: BrokerState = 'connected';
  #closing: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#service = engine.service;
    this.calls = callsOf(engine.service, (name) => this.#queue(name));
  }

  get state(): BrokerState {
    return this.#state;
  }

  onStateChange(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #queue(name: string): QueueDefinition {
    const queue = this.#service.findQueue(name);
    if (queue !== undefined) return queue;
    throw new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', `There is no queue "${name}".`);
  }

  async send(
    name: string,
    messages: readonly MessageInput[],
    { signal }: RequestOptions,
  ): Promise<SendResult[]> {
    const sent = this.#service.send(this.#queue(name), outgoing(messages));
    return abortable(sent, signal);
  }

  async receive(queue: MessageQueue, options: ReceiveOptions): Promise<Message[]> {
    const { max = 1 } = options;
    const messages = await this.#service.receive(this.#queue(queue.name), { ...options, max });
    return wrapped(queue, messages, false);
  }

  async delete(
    name: string,
    receipts: readonly ReceiptSource[],
    { signal }: RequestOptions,
  ): Promise<ReceiptResults> {
    const deleted = this.#service.delete(this.#queue(name), receipts.map(unwrapped));
    return abortable(deleted, signal);
  }

  async changeVisibility(
    name: string,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[],
    _release: boolean,
    { signal }: RequestOptions,
  ): Promise<ReceiptResults> {
    const queue = this.#queue(name);
    const changed = this.#service.changeVisibility(queue, receipts.map(unwrapped), timeoutsMs);
    return abortable(changed, signal);
  }

  async peek(queue: MessageQueue, max: number): Promise<Message[]> {
    return wrapped(queue, await this.#service.peek(this.#queue(queue.name), max), true);
  }

  subscribe(
    queue: MessageQueue,
    options: SubscribeOptions,
    sink: SubscriptionSink,
  ): TransportSubscription {
    return new EmbeddedSubscription(this.#service, queue, options, sink);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    for (const listener of this.#listeners) listener('closed', undefined);
    await this.#engine.close();
  }
}

/** The engine's own form of what is sent; only attributes have another. */
function outgoing(messages: readonly MessageInput[]): readonly OutgoingMessage[] {
  if (messages.every(({ attributes }) => attributes === undefined)) {
    return messages as readonly OutgoingMessage[];
  }
  return messages.map((message) => ({
    ...message,
    attributes: attributeBlock(message.attributes),
  }));
}

function wrapped(
  queue: MessageQueue,
  messages: readonly DeliveredMessage[],
  peeked: boolean,
): Message[] {
  const now = performance.now();
  return messages.map((message) => new EmbeddedMessage(queue, now, message, peeked));
}

function unwrapped(receipt: ReceiptSource): ServiceReceipt {
  if (typeof receipt === 'string') return receipt;
  // Asking for the handle's text would make it.
  if (receipt instanceof EmbeddedMessage && !receipt.peeked) return receipt.delivered;
  return receipt.receiptHandle;
}

/** Rejects with the signal's reason once that is aborted; what was asked may still happen. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function callsOf(service: QueueService, queueOf: (name: string) => QueueDefinition): QueueCalls {
  return {
    createQueue: (queue, attributes, tags) =>
      service.createQueue(queue, attributes as Partial<QueueAttributes>, tags),
    setAttributes: (queue, attributes) =>
      service.setAttributes(queue, attributes as Partial<QueueAttributes>),
    setTags: (queue, add, remove) => service.setTags(queue, add, remove),
    deleteQueue: (queue) => service.deleteQueue(queue),
    findQueue: async (queue) => service.findQueue(queue),
    listQueues: async ({ prefix, max = QUEUES_LISTED_MAX, after }) =>
      service.listQueues({ prefix, max, after }),
    listDeadLetterSources: async (queue) => service.listDeadLetterSources(queue),
    purge: async (queue) => service.purge(queueOf(queue)),
    counts: async (queue) => service.counts(queueOf(queue)),
    oldestSentAtMs: async (queue) => service.oldestSentAtMs(queueOf(queue)),
    startMoveTask: (source, destination, rate) => service.startMoveTask(source, destination, rate),
    listMoveTasks: (source, max) => service.listMoveTasks(source, max),
    cancelMoveTask: (taskId) => service.cancelMoveTask(taskId),
  };
}
