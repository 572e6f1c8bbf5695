/* One queue, by its name. It need not exist before it is used; what is asked of a queue that
 * does not exist rejects CAPSTAN_QUEUE_DOES_NOT_EXIST. */

import { BrokerError } from '../base/errors.ts';
import {
  type ConsumeOptions,
  Consumer,
  type HandlerOptions,
  type MessageHandler,
} from './consumer.ts';
import { type Message, type MessageQueue, type ReceiptSource, receiptError } from './message.ts';
import type { ReceiptResults, Transport } from './transport.ts';
import type {
  AttributeChanges,
  MessageInput,
  QueueCounts,
  QueueDefinition,
  ReceiveOptions,
  RequestOptions,
  SendResult,
} from './types.ts';

const NO_OPTIONS: RequestOptions = {};
const PEEK_MAX_DEFAULT = 10;

export class Queue implements MessageQueue {
  readonly name: string;
  readonly #transport: Transport;

  constructor(name: string, transport: Transport) {
    this.name = name;
    this.#transport = transport;
  }

  /** Sends one message. It is durable when the promise resolves. Rejects with what the broker says
   *  against it. */
  async send(message: MessageInput, options: RequestOptions = NO_OPTIONS): Promise<SendResult> {
    const results = await this.#transport.send(this.name, [message], options);
    const result = results[0]!;
    if (result.error !== undefined) {
      throw new BrokerError(result.error, `"${this.name}" did not accept the message.`);
    }
    return result;
  }

  /** Sends up to 1000 messages. One result per message, in their order: look at each. */
  sendBatch(
    messages: readonly MessageInput[],
    options: RequestOptions = NO_OPTIONS,
  ): Promise<SendResult[]> {
    return this.#transport.send(this.name, messages, options);
  }

  /** Receives messages, and hides them from others for the visibility timeout. */
  receive(options: ReceiveOptions = NO_OPTIONS): Promise<Message[]> {
    return this.#transport.receive(this, options);
  }

  /** Removes a received message. Succeeds also if it is gone already. Rejects
   *  CAPSTAN_RECEIPT_HANDLE_INVALID for a handle that is not of this queue. */
  async delete(receipt: ReceiptSource, options: RequestOptions = NO_OPTIONS): Promise<void> {
    const [error] = await this.#transport.delete(this.name, [receipt], options);
    if (error !== undefined) throw receiptError(error, this.name);
  }

  /** One result per receipt: an error's code, or undefined where it succeeded. */
  deleteBatch(
    receipts: readonly ReceiptSource[],
    options: RequestOptions = NO_OPTIONS,
  ): Promise<ReceiptResults> {
    return this.#transport.delete(this.name, receipts, options);
  }

  /** Moves the visibility deadline of a received message to `timeoutMs` from now, 0 to 43_200_000.
   *  Rejects CAPSTAN_MESSAGE_NOT_IN_FLIGHT if it is visible again or gone. */
  async extend(
    receipt: ReceiptSource,
    timeoutMs: number,
    options: RequestOptions = NO_OPTIONS,
  ): Promise<void> {
    await this.#changeOne(receipt, timeoutMs, false, options);
  }

  /** The name that SQS has for `extend`. */
  changeVisibility(
    receipt: ReceiptSource,
    timeoutMs: number,
    options: RequestOptions = NO_OPTIONS,
  ): Promise<void> {
    return this.extend(receipt, timeoutMs, options);
  }

  extendBatch(
    receipts: readonly ReceiptSource[],
    timeoutMs: number,
    options: RequestOptions = NO_OPTIONS,
  ): Promise<ReceiptResults> {
    const timeoutsMs = receipts.map(() => timeoutMs);
    return this.#transport.changeVisibility(this.name, receipts, timeoutsMs, false, options);
  }

  /** Gives a received message up: others see it after `delayMs`. */
  async release(
    receipt: ReceiptSource,
    delayMs = 0,
    options: RequestOptions = NO_OPTIONS,
  ): Promise<void> {
    await this.#changeOne(receipt, delayMs, true, options);
  }

  releaseBatch(
    receipts: readonly ReceiptSource[],
    delayMs = 0,
    options: RequestOptions = NO_OPTIONS,
  ): Promise<ReceiptResults> {
    const timeoutsMs = receipts.map(() => delayMs);
    return this.#transport.changeVisibility(this.name, receipts, timeoutsMs, true, options);
  }

  async #changeOne(
    receipt: ReceiptSource,
    timeoutMs: number,
    release: boolean,
    options: RequestOptions,
  ): Promise<void> {
    const transport = this.#transport;
    const receipts = [receipt];
    const timeouts = [timeoutMs];
    const results = await transport.changeVisibility(
      this.name,
      receipts,
      timeouts,
      release,
      options,
    );
    if (results[0] !== undefined) throw receiptError(results[0], this.name);
  }

  /** Messages as they come, as an async iterator; or each one handed to `handler`. */
  consume(options?: ConsumeOptions): Consumer;
  consume(handler: MessageHandler, options?: HandlerOptions): Consumer;
  consume(first: ConsumeOptions | MessageHandler = {}, options: HandlerOptions = {}): Consumer {
    if (typeof first === 'function') {
      return new Consumer(this, this.#transport, options, first);
    }
    return new Consumer(this, this.#transport, first, undefined);
  }

  /** Removes every message that was sent before. */
  purge(): Promise<void> {
    return this.#transport.calls.purge(this.name);
  }

  /** Looks at messages without receiving them, the oldest first. */
  peek(max = PEEK_MAX_DEFAULT): Promise<Message[]> {
    return this.#transport.peek(this, max);
  }

  counts(): Promise<QueueCounts> {
    return this.#transport.calls.counts(this.name);
  }

  /** When the oldest message was sent; undefined: the queue is empty. */
  oldestSentAtMs(): Promise<number | undefined> {
    return this.#transport.calls.oldestSentAtMs(this.name);
  }

  /** Undefined: there is no such queue. */
  describe(): Promise<QueueDefinition | undefined> {
    return this.#transport.calls.findQueue(this.name);
  }

  /** What is left out stays; what is undefined takes its default. */
  setAttributes(attributes: AttributeChanges): Promise<QueueDefinition> {
    return this.#transport.calls.setAttributes(this.name, attributes);
  }

  setTags(
    add: Readonly<Record<string, string>>,
    remove: readonly string[] = [],
  ): Promise<QueueDefinition> {
    return this.#transport.calls.setTags(this.name, add, remove);
  }

  /** Names of the queues whose dead-letter queue this is. */
  deadLetterSources(): Promise<string[]> {
    return this.#transport.calls.listDeadLetterSources(this.name);
  }
}
