/* What every door needs of a broker: the same calls whether it runs in a door thread or inside the
 * host program. A router implements it. All failures are `BrokerError`s. */

import type { ErrorCode } from '../base/errors.ts';
import type { Settle } from '../base/settle.ts';
import type { PolicyEdit } from '../catalog/access-policy.ts';
import type { OutgoingMessage } from '../command/message-entry.ts';
import type { QueueAttributes, QueueDefinition } from '../command/queue-definition.ts';
import type { MoveTask, QueueCounts } from '../command/queue-facts.ts';

export type { MoveTask, QueueCounts };

/** What became of one entry of a batched send. */
export interface SendOutcome {
  /** Undefined: accepted, and durable. */
  readonly error: ErrorCode | undefined;
  /** A UUID. Of a duplicate: the id of the message accepted first. */
  readonly messageId: string;
  /** Its 16 bytes, where they are at hand. */
  readonly idBytes?: Uint8Array | undefined;
  /** The message's place in its partition's order; on a FIFO queue it grows within each group.
   *  Of a duplicate: that of the message accepted first. */
  readonly sequenceNumber: number;
}

export interface ReceiveOptions {
  /** 1 .. BATCH_ENTRIES_MAX; fewer may be returned. */
  readonly max: number;
  /** 0 .. WAIT_MS_MAX. Undefined: the queue's. */
  readonly waitMs?: number | undefined;
  /** 0 .. VISIBILITY_TIMEOUT_MS_MAX. Undefined: the queue's. */
  readonly visibilityTimeoutMs?: number | undefined;
  /** FIFO: the same id within five minutes returns the same messages, if their state still allows.
   *  Rule: SQS ReceiveRequestAttemptId. */
  readonly attemptId?: string | undefined;
  /** Ends the wait; the promise then resolves with no messages. */
  readonly signal?: AbortSignal | undefined;
}

/** A received message. Getters decode on first use. */
export interface DeliveredMessage {
  readonly messageId: string;
  /** Its 16 bytes, where they are at hand. */
  readonly idBytes?: Uint8Array | undefined;
  readonly receiptHandle: string;
  readonly body: Uint8Array;
  text(): string;
  readonly receiveCount: number;
  readonly sentAtMs: number;
  readonly firstReceivedAtMs: number;
  readonly sequenceNumber: number;
  readonly groupId: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly traceHeader: string | undefined;
  /** Canonical attribute block; see command/message-entry.ts. */
  readonly attributeBlock: Uint8Array | undefined;
  /** MD5 of the body, where its sender computed it. */
  readonly md5: Uint8Array | undefined;
  /** The queue that this message was dead-lettered from. */
  readonly deadLetterSource: string | undefined;
}

/** A receipt handle, or the message that has it: a message in hand saves making and checking the
 *  handle's text. */
export type ReceiptSource = string | DeliveredMessage;

export interface ListQueuesOptions {
  readonly prefix?: string | undefined;
  /** 1 .. 1000. */
  readonly max: number;
  /** The name after which to go on. */
  readonly after?: string | undefined;
}

/** A receive that may still wait. */
export interface PendingReceive {
  /** Nothing comes any more: messages that are on their way go back to their queue. */
  cancel(): void;
}

/** The calls. A queue is named where it may not exist, and given where it was found. */
export interface QueueService {
  findQueue(name: string): QueueDefinition | undefined;
  /** Sorted by name. */
  listQueues(options: ListQueuesOptions): QueueDefinition[];
  /** Names of the queues whose redrive policy names `name`, sorted. */
  listDeadLetterSources(name: string): string[];

  /** Idempotent for equal attributes; else rejects CAPSTAN_QUEUE_NAME_EXISTS. `attributes` that are
   *  left out are the defaults. Durable, and known to every router, when the promise resolves. */
  createQueue(
    name: string,
    attributes: Partial<QueueAttributes>,
    tags?: Readonly<Record<string, string>>,
  ): Promise<QueueDefinition>;
  /** Attributes that are left out stay; one given as undefined is removed. */
  setAttributes(name: string, attributes: Partial<QueueAttributes>): Promise<QueueDefinition>;
  setTags(
    name: string,
    add: Readonly<Record<string, string>>,
    remove: readonly string[],
  ): Promise<QueueDefinition>;
  /** Adds a statement to the access policy, or removes one. Two that do so at once do so one after
   *  the other. */
  editPolicy(name: string, edit: PolicyEdit): Promise<QueueDefinition>;
  deleteQueue(name: string): Promise<void>;

  /** One outcome per message, in order. The messages' bytes are lent for the length of the call.
   *  All of one call that go to one partition are accepted in one commit. Rejects when nothing of
   *  the batch was accepted. */
  send(queue: QueueDefinition, messages: readonly OutgoingMessage[]): Promise<SendOutcome[]>;
  receive(queue: QueueDefinition, options: ReceiveOptions): Promise<DeliveredMessage[]>;
  /** One result per receipt, in order: undefined when the message is gone. */
  delete(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
  ): Promise<(ErrorCode | undefined)[]>;

  /** As `send`, `receive` and `delete`, for hot paths. `options.signal` is not looked at. */
  sendTo(
    queue: QueueDefinition,
    messages: readonly OutgoingMessage[],
    result: Settle<SendOutcome[]>,
  ): void;
  receiveTo(
    queue: QueueDefinition,
    options: ReceiveOptions,
    result: Settle<DeliveredMessage[]>,
  ): PendingReceive;
  deleteTo(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
    result: Settle<(ErrorCode | undefined)[]>,
  ): void;

  /** `timeoutsMs[i]` from now, 0 .. VISIBILITY_TIMEOUT_MS_MAX; 0 makes it visible at once. */
  changeVisibility(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[],
  ): Promise<(ErrorCode | undefined)[]>;
  /** Removes every message sent before the call. Rejects CAPSTAN_PURGE_IN_PROGRESS within 60
   *  seconds of another purge, where waits are strict. */
  purge(queue: QueueDefinition): Promise<void>;
  /** Messages as they stand, without receiving them; oldest first, at most `max`. */
  peek(queue: QueueDefinition, max: number): Promise<DeliveredMessage[]>;
  /** As the partitions last published them. */
  counts(queue: QueueDefinition): QueueCounts;
  /** When the oldest message was sent, to whatever queue it was; undefined: the queue is empty. In
   *  a partition where over 10,000 messages are in flight, were received before or are dead
   *  letters, not all of them are looked at. */
  oldestSentAtMs(queue: QueueDefinition): Promise<number | undefined>;

  startMoveTask(
    source: string,
    destination: string | undefined,
    messagesPerSecondMax: number | undefined,
  ): Promise<MoveTask>;
  /** The newest first. */
  listMoveTasks(source: string, max: number): Promise<MoveTask[]>;
  cancelMoveTask(taskId: string): Promise<MoveTask>;
}
