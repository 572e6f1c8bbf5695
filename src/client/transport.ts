/* What the objects of a broker stand on: a connection to a server, or an engine in the same
 * process. Failures of a call as a whole are rejections with a `BrokerError`. */

import type { BrokerError, ErrorCode } from '../base/errors.ts';
import type { Message, MessageQueue, ReceiptSource } from './message.ts';
import type {
  AttributeChanges,
  BrokerState,
  ListQueuesOptions,
  MessageInput,
  MoveTask,
  QueueCounts,
  QueueDefinition,
  ReceiveOptions,
  RequestOptions,
  SendResult,
  StateListener,
} from './types.ts';

export type ReceiptResults = (ErrorCode | undefined)[];

/** What a subscription tells its owner, always later than the call that made it. */
export interface SubscriptionSink {
  /** It has begun, perhaps anew; messages are hidden for so long. */
  onStarted(visibilityTimeoutMs: number): void;
  onMessages(messages: Message[]): void;
  /** It is over, and not because it was stopped. */
  onEnded(error: BrokerError): void;
}

export interface SubscribeOptions {
  /** Messages that may come before more is granted. */
  readonly credit: number;
  readonly visibilityTimeoutMs: number | undefined;
  readonly releaseOnDisconnect: boolean;
}

export interface TransportSubscription {
  grant(credit: number): void;
  /** Resolves when nothing more will come. */
  stop(): Promise<void>;
}

/** Calls on queues as such. */
export interface QueueCalls {
  createQueue(
    queue: string,
    attributes: AttributeChanges,
    tags: Readonly<Record<string, string>>,
  ): Promise<QueueDefinition>;
  setAttributes(queue: string, attributes: AttributeChanges): Promise<QueueDefinition>;
  setTags(
    queue: string,
    add: Readonly<Record<string, string>>,
    remove: readonly string[],
  ): Promise<QueueDefinition>;
  deleteQueue(queue: string): Promise<void>;
  findQueue(queue: string): Promise<QueueDefinition | undefined>;
  listQueues(options: ListQueuesOptions): Promise<QueueDefinition[]>;
  listDeadLetterSources(queue: string): Promise<string[]>;
  purge(queue: string): Promise<void>;
  counts(queue: string): Promise<QueueCounts>;
  oldestSentAtMs(queue: string): Promise<number | undefined>;
  startMoveTask(
    source: string,
    destination: string | undefined,
    messagesPerSecondMax: number | undefined,
  ): Promise<MoveTask>;
  listMoveTasks(source: string, max: number): Promise<MoveTask[]>;
  cancelMoveTask(taskId: string): Promise<MoveTask>;
}

export interface Transport {
  readonly calls: QueueCalls;
  readonly state: BrokerState;
  /** Returns a function that removes the listener. */
  onStateChange(listener: StateListener): () => void;

  send(
    queue: string,
    messages: readonly MessageInput[],
    options: RequestOptions,
  ): Promise<SendResult[]>;
  receive(queue: MessageQueue, options: ReceiveOptions): Promise<Message[]>;
  delete(
    queue: string,
    receipts: readonly ReceiptSource[],
    options: RequestOptions,
  ): Promise<ReceiptResults>;
  /** @param release the messages are given up, not kept for longer. */
  changeVisibility(
    queue: string,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[],
    release: boolean,
    options: RequestOptions,
  ): Promise<ReceiptResults>;
  peek(queue: MessageQueue, max: number): Promise<Message[]>;
  subscribe(
    queue: MessageQueue,
    options: SubscribeOptions,
    sink: SubscriptionSink,
  ): TransportSubscription;
  close(): Promise<void>;
}
