/* A QueueService in memory, for tests of what stands on top of one: the catalog part is Capstan's
 * own definitions and checks; messages are kept in an array and know visibility, nothing else. No
 * rules of FIFO queues, retention, dead-letter queues or limits: those are tested elsewhere. */

import { BrokerError, type ErrorCode } from '../../src/base/errors.ts';
import type { Settle } from '../../src/base/settle.ts';
import type {
  DeliveredMessage,
  MoveTask,
  PendingReceive,
  QueueCounts,
  QueueService,
  ReceiptSource,
  ReceiveOptions,
  SendOutcome,
} from '../../src/broker/service.ts';
import { editedPolicy, type PolicyEdit } from '../../src/catalog/access-policy.ts';
import { Definitions } from '../../src/catalog/definitions.ts';
import { checkAttributes, checkName, mergeAttributes } from '../../src/catalog/queue-checks.ts';
import type { OutgoingMessage } from '../../src/command/message-entry.ts';
import { messageIdText } from '../../src/command/message-id.ts';
import {
  defaultAttributes,
  type QueueAttributes,
  type QueueDefinition,
} from '../../src/command/queue-definition.ts';

interface Held {
  readonly message: { -readonly [Key in keyof DeliveredMessage]: DeliveredMessage[Key] };
  readonly sequence: number;
  visibleAtMs: number;
}

export class FakeQueueService implements QueueService {
  now = 1_700_000_000_000;
  /** What every send, delete and change of visibility of an entry comes to. */
  entryError: ErrorCode | undefined;
  /** What every call that takes messages rejects with. */
  failure: Error | undefined;
  readonly receives: ReceiveOptions[] = [];
  /** What was given to the last send; bodies and digests are copies. */
  sent: OutgoingMessage[] = [];
  readonly tasks: MoveTask[] = [];
  readonly #definitions = new Definitions();
  readonly #held = new Map<number, Held[]>();
  #count = 0;

  findQueue(name: string): QueueDefinition | undefined {
    return this.#definitions.find(name);
  }

  listQueues(options: Parameters<QueueService['listQueues']>[0]): QueueDefinition[] {
    return this.#definitions.list(options);
  }

  listDeadLetterSources(name: string): string[] {
    return this.#definitions.deadLetterSources(name);
  }

  async createQueue(
    name: string,
    given: Partial<QueueAttributes>,
    tags: Readonly<Record<string, string>> = {},
  ): Promise<QueueDefinition> {
    const existing = this.findQueue(name);
    const base = existing?.attributes ?? defaultAttributes(given.fifo ?? false);
    const attributes = mergeAttributes(base, given);
    if (existing !== undefined) {
      if (JSON.stringify(attributes) === JSON.stringify(existing.attributes)) return existing;
      throw new BrokerError('CAPSTAN_QUEUE_NAME_EXISTS', `A queue "${name}" exists.`);
    }
    checkName(name, attributes.fifo);
    checkAttributes(attributes);
    const queueId = ++this.#count;
    const times = { createdAtMs: this.now, modifiedAtMs: this.now };
    return this.#define({ queueId, boardRow: queueId, name, attributes, tags, ...times }, true);
  }

  #define(definition: QueueDefinition, created = false): QueueDefinition {
    this.#definitions.apply({ kind: 'defined', definition, created });
    return definition;
  }

  #require(name: string): QueueDefinition {
    const queue = this.findQueue(name);
    if (queue === undefined) throw new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', name);
    return queue;
  }

  async setAttributes(name: string, given: Partial<QueueAttributes>): Promise<QueueDefinition> {
    const queue = this.#require(name);
    const attributes = mergeAttributes(queue.attributes, given);
    checkAttributes(attributes);
    return this.#define({ ...queue, attributes });
  }

  async setTags(
    name: string,
    add: Readonly<Record<string, string>>,
    remove: readonly string[],
  ): Promise<QueueDefinition> {
    const queue = this.#require(name);
    const entries = Object.entries({ ...queue.tags, ...add });
    const tags = Object.fromEntries(entries.filter(([key]) => !remove.includes(key)));
    return this.#define({ ...queue, tags });
  }

  async editPolicy(name: string, edit: PolicyEdit): Promise<QueueDefinition> {
    const queue = this.#require(name);
    const policy = editedPolicy(queue.attributes.stored['Policy'], edit);
    const stored = policy === undefined ? {} : { Policy: policy };
    return this.#define({ ...queue, attributes: { ...queue.attributes, stored } });
  }

  async deleteQueue(name: string): Promise<void> {
    this.#definitions.apply({ kind: 'deleted', definition: this.#require(name) });
  }

  #messages({ queueId }: QueueDefinition): Held[] {
    if (this.failure !== undefined) throw this.failure;
    let held = this.#held.get(queueId);
    if (held === undefined) this.#held.set(queueId, (held = []));
    return held;
  }

  async send(queue: QueueDefinition, messages: readonly OutgoingMessage[]): Promise<SendOutcome[]> {
    const held = this.#messages(queue);
    // A copy: the caller's bytes are only lent.
    this.sent = messages.map((message) => ({ ...message, body: bytesOf(message.body) }));
    return this.sent.map((message) => {
      const sequence = ++this.#count;
      const delivered = this.#delivered(message, sequence);
      const { messageId } = delivered;
      const visibleAtMs = this.now + (message.delayMs ?? queue.attributes.delayMs);
      if (this.entryError === undefined) held.push({ message: delivered, sequence, visibleAtMs });
      return { error: this.entryError, messageId, sequenceNumber: sequence };
    });
  }

  #delivered(message: OutgoingMessage, sequence: number): Held['message'] {
    const id = new Uint8Array(16);
    id[6] = 0x70; // A UUID of version 7, as the real ones are.
    id[8] = 0x80;
    new DataView(id.buffer).setUint32(12, sequence);
    const body = bytesOf(message.body);
    return {
      messageId: messageIdText(id, 0),
      receiptHandle: '',
      body,
      text: () => Buffer.from(body).toString('utf8'),
      receiveCount: 0,
      sentAtMs: this.now,
      firstReceivedAtMs: 0,
      sequenceNumber: sequence,
      groupId: message.groupId,
      deduplicationId: message.deduplicationId,
      traceHeader: message.traceHeader,
      attributeBlock: message.attributes?.slice(),
      md5: message.md5?.slice(),
      deadLetterSource: undefined,
    };
  }

  async receive(queue: QueueDefinition, options: ReceiveOptions): Promise<DeliveredMessage[]> {
    this.receives.push(options);
    const timeoutMs = options.visibilityTimeoutMs ?? queue.attributes.visibilityTimeoutMs;
    const found = this.#messages(queue).filter((held) => held.visibleAtMs <= this.now);
    return found.slice(0, options.max).map((held) => {
      held.visibleAtMs = this.now + timeoutMs;
      held.message.receiveCount++;
      held.message.firstReceivedAtMs ||= this.now;
      held.message.receiptHandle = `receipt-${held.sequence}-${held.message.receiveCount}`;
      return { ...held.message };
    });
  }

  async delete(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
  ): Promise<(ErrorCode | undefined)[]> {
    return receipts.map((receipt) => {
      const found = this.#find(queue, receipt);
      if (typeof found === 'string') return found;
      if (this.entryError === undefined) this.#messages(queue).splice(found, 1);
      return this.entryError;
    });
  }

  async changeVisibility(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[],
  ): Promise<(ErrorCode | undefined)[]> {
    return receipts.map((receipt, i) => {
      const found = this.#find(queue, receipt);
      if (typeof found === 'string') return found;
      this.#messages(queue)[found]!.visibleAtMs = this.now + timeoutsMs[i]!;
      return this.entryError;
    });
  }

  sendTo(
    queue: QueueDefinition,
    messages: readonly OutgoingMessage[],
    result: Settle<SendOutcome[]>,
  ): void {
    settleBy(this.send(queue, messages), result);
  }

  receiveTo(
    queue: QueueDefinition,
    options: ReceiveOptions,
    result: Settle<DeliveredMessage[]>,
  ): PendingReceive {
    const abort = new AbortController();
    settleBy(this.receive(queue, { ...options, signal: abort.signal }), result);
    return { cancel: () => abort.abort() };
  }

  deleteTo(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
    result: Settle<(ErrorCode | undefined)[]>,
  ): void {
    settleBy(this.delete(queue, receipts), result);
  }

  #find(queue: QueueDefinition, receipt: ReceiptSource): ErrorCode | number {
    const sequence = /^receipt-(\d+)-/.exec(
      typeof receipt === 'string' ? receipt : receipt.receiptHandle,
    )?.[1];
    if (sequence === undefined) return 'CAPSTAN_RECEIPT_HANDLE_INVALID';
    const held = this.#messages(queue);
    const found = held.findIndex((candidate) => candidate.sequence === Number(sequence));
    return found < 0 ? 'CAPSTAN_MESSAGE_NOT_IN_FLIGHT' : found;
  }

  /** Makes a message look dead-lettered. */
  markDeadLettered(queue: QueueDefinition, source: string): void {
    for (const { message } of this.#messages(queue)) message.deadLetterSource = source;
  }

  async purge(queue: QueueDefinition): Promise<void> {
    this.#messages(queue).length = 0;
  }

  async peek(queue: QueueDefinition, max: number): Promise<DeliveredMessage[]> {
    return this.#messages(queue)
      .slice(0, max)
      .map(({ message }) => message);
  }

  counts(queue: QueueDefinition): QueueCounts {
    const held = this.#held.get(queue.queueId) ?? [];
    const hidden = held.filter(({ visibleAtMs }) => visibleAtMs > this.now);
    const inFlight = hidden.filter(({ message }) => message.receiveCount > 0).length;
    const delayed = hidden.length - inFlight;
    return { visible: held.length - hidden.length, inFlight, delayed };
  }

  async oldestSentAtMs(queue: QueueDefinition): Promise<number | undefined> {
    return this.#messages(queue)[0]?.message.sentAtMs;
  }

  async startMoveTask(
    source: string,
    destination: string | undefined,
    messagesPerSecondMax: number | undefined,
  ): Promise<MoveTask> {
    if (this.tasks.some((task) => task.source === source && task.status === 'RUNNING')) {
      throw new BrokerError('CAPSTAN_UNSUPPORTED_OPERATION', 'There is a task already.');
    }
    const task: MoveTask = {
      taskId: `task-${++this.#count}`,
      source,
      destination,
      messagesPerSecondMax,
      status: 'RUNNING',
      moved: 3,
      toMove: 7,
      startedAtMs: this.now,
      failureReason: undefined,
    };
    this.tasks.unshift(task);
    return task;
  }

  async listMoveTasks(source: string, max: number): Promise<MoveTask[]> {
    return this.tasks.filter((task) => task.source === source).slice(0, max);
  }

  async cancelMoveTask(taskId: string): Promise<MoveTask> {
    const at = this.tasks.findIndex((task) => task.taskId === taskId);
    if (at < 0) throw new BrokerError('CAPSTAN_RESOURCE_NOT_FOUND', 'There is no such task.');
    return (this.tasks[at] = { ...this.tasks[at]!, status: 'CANCELLED' });
  }
}

function settleBy<T>(promise: Promise<T>, result: Settle<T>): void {
  promise.then(
    (value) => result.resolve(value),
    (error: unknown) => result.reject(error),
  );
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(body);
}
