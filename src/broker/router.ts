/* The client side of the partitions: places messages, finds those that are ready, and matches
 * replies to requests. One per door thread and one on the main thread, which the embedded API and
 * the supervisor use; all of it runs on that thread.
 *
 * Frames that are begun during one turn of the event loop leave together at its end, so that many
 * small requests ring a partition once. */

import type { Clock } from '../base/clock.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import { type EventLoop, NODE_EVENT_LOOP } from '../base/event-loop.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  DRAIN_BYTES_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
  WAIT_MS_MAX,
} from '../base/limits.ts';
import type { Settle } from '../base/settle.ts';
import type { PolicyEdit } from '../catalog/access-policy.ts';
import type { CatalogChange, Definitions } from '../catalog/definitions.ts';
import type { Board } from '../command/board.ts';
import * as codec from '../command/command-codec.ts';
import type { OutgoingMessage } from '../command/message-entry.ts';
import { textHash } from '../command/placement.ts';
import type { QueueAttributes, QueueDefinition } from '../command/queue-definition.ts';
import type { LinkDescriptor } from '../command/thread-protocol.ts';
import type { Doorbell } from '../ring/doorbell.ts';
import type { CatalogCalls } from './catalog-calls.ts';
import { Delivered, takeMessages } from './delivered.ts';
import { EncodedSender } from './encoded-sender.ts';
import { type FillRandom, MessageIds } from './message-ids.ts';
import type { MoveStep } from './move-task-run.ts';
import type {
  EncodedReceive,
  EntryBlock,
  EntrySink,
  MessageSink,
  NativeService,
  ReceiptBlock,
  ResultSink,
} from './native-service.ts';
import { PartitionHandle } from './partition-handle.ts';
import { ReceiptBatches } from './receipt-batches.ts';
import type { ReceiptCodec } from './receipt-handle.ts';
import { QueueReceivers, type Receiver, type ReceiverContext } from './receivers.ts';
import { ask, deferred } from './requests.ts';
import { Sender } from './sender.ts';
import type {
  ListQueuesOptions,
  MoveTask,
  PendingReceive,
  QueueCounts,
  ReceiptSource,
  ReceiveOptions,
  SendOutcome,
} from './service.ts';
import { TransitCalls } from './transit-calls.ts';

export interface RouterOptions {
  readonly router: number;
  /** How many there were before it that had the same number, and so the same rings. */
  readonly life?: number | undefined;
  readonly board: Board;
  readonly definitions: Definitions;
  readonly receipts: ReceiptCodec;
  readonly clock: Clock;
  readonly doorbell: RouterBell;
  readonly catalog: CatalogCalls;
  /** That of Node, when left out. */
  readonly eventLoop?: EventLoop | undefined;
  /** Fills a part of message ids; with what nobody can guess, when left out. */
  readonly fillRandom?: FillRandom | undefined;
}

/** What a router asks of its doorbell. */
export type RouterBell = Pick<Doorbell, 'armAsync' | 'close'>;

/** How often a closing router looks whether its requests are answered. */
const SETTLE_INTERVAL_MS = 5;

export class Router implements NativeService {
  /** For the broker, as `define` and those that follow it. */
  readonly transit: TransitCalls;
  readonly #board: Board;
  readonly #definitions: Definitions;
  readonly #doorbell: RouterBell;
  readonly #eventLoop: EventLoop;
  readonly #catalog: CatalogCalls;
  readonly #handles: readonly PartitionHandle[];
  readonly #receivers = new Map<number, QueueReceivers>();
  readonly #receiverContext: ReceiverContext;
  readonly #receipts: ReceiptCodec;
  readonly #receiptBatches: ReceiptBatches;
  readonly #sender: Sender;
  readonly #encodedSender: EncodedSender;
  #flushScheduled = false;
  #waitsEnded = false;
  #closed = false;

  constructor(options: RouterOptions) {
    const { router, board, receipts } = options;
    this.#board = board;
    this.#definitions = options.definitions;
    this.#doorbell = options.doorbell;
    this.#eventLoop = options.eventLoop ?? NODE_EVENT_LOOP;
    this.#catalog = options.catalog;
    this.#receipts = receipts;
    this.#handles = Array.from(
      { length: board.partitions },
      (_, partition) => new PartitionHandle(partition, options.life),
    );
    this.transit = new TransitCalls(this.#handles);
    const ids = new MessageIds(options.fillRandom);
    this.#sender = new Sender(this.#handles, ids, options.clock, this.#flushSoon);
    this.#encodedSender = new EncodedSender({
      handles: this.#handles,
      ids,
      clock: options.clock,
      place: (bytes) => this.#sender.place(bytes),
      flushSoon: this.#flushSoon,
    });
    this.#receiptBatches = new ReceiptBatches(this.#handles, receipts, this.#flushSoon);
    this.#receiverContext = {
      router,
      board,
      handles: this.#handles,
      receipts,
      eventLoop: this.#eventLoop,
      nameOf: this.#nameOf,
      flushSoon: this.#flushSoon,
      giveBack: (queue, messages) => void this.#giveBack(queue, messages),
      mayWait: () => !this.#waitsEnded,
    };
    if (options.life !== undefined && options.life > 0) board.lowerFlags(router);
    this.#doorbell.armAsync(this.#onRing, this.#hasWork);
  }

  readonly #nameOf = (queueId: number): string | undefined => this.#definitions.byId(queueId)?.name;

  // The threads around.

  /** The partition runs, and reads from `link`. */
  attach(partition: number, link: LinkDescriptor): void {
    this.#handles[partition]!.attach(link);
    // What came for the router before it makes room. Nobody rings for that any more.
    this.#drain(Number.POSITIVE_INFINITY);
    for (const receivers of this.#receivers.values()) receivers.serve();
  }

  /** The partition is gone: what it was asked fails with `code`, retryable. */
  detach(partition: number, code: ErrorCode): void {
    this.#handles[partition]!.detach(code);
  }

  /** Whoever waits for messages of a queue that was deleted waits no longer. */
  definitionChanged(change: CatalogChange): void {
    if (change.kind !== 'deleted') return;
    const { queueId, name } = change.definition;
    const receivers = this.#receivers.get(queueId);
    this.#receivers.delete(queueId);
    receivers?.close(new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', `"${name}" was deleted.`));
  }

  isAttached(partition: number): boolean {
    return this.#handles[partition]!.running;
  }

  /** Resolves when no request is pending any longer, or after `patienceMs`. */
  async settled(patienceMs: number): Promise<void> {
    const until = performance.now() + patienceMs;
    while (this.pendingCount > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_INTERVAL_MS));
    }
  }

  /** Requests that partitions have not answered yet. */
  get pendingCount(): number {
    return this.#handles.reduce((sum, handle) => sum + handle.pendingCount, 0);
  }

  /** Ends every wait and fails what is pending. */
  close(): void {
    this.#closed = true;
    for (const receivers of this.#receivers.values()) receivers.close(undefined);
    this.#receivers.clear();
    for (const handle of this.#handles) handle.detach('CAPSTAN_CLOSED');
    this.#doorbell.close();
  }

  /** Ends every wait with no messages, those included that are yet to begin; sends and deletes go
   *  on. */
  endWaits(): void {
    this.#waitsEnded = true;
    for (const receivers of this.#receivers.values()) receivers.close(undefined);
  }

  readonly #hasWork = (): boolean => {
    for (const handle of this.#handles) if (handle.hasWork()) return true;
    return false;
  };

  readonly #onRing = (): void => {
    // What the last replies led to goes before the next are taken up.
    this.#flushHandles();
    this.#drain();
    if (!this.#closed) this.#doorbell.armAsync(this.#onRing, this.#hasWork);
  };

  #drain(bytesMax = DRAIN_BYTES_MAX): void {
    for (const handle of this.#handles) handle.drain(this.#onNotice, bytesMax);
  }

  readonly #onNotice = (view: DataView, at: number): void => {
    this.#receivers.get(view.getUint32(at + codec.FIRST_AT, true))?.serve();
  };

  readonly #flushSoon = (): void => {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#eventLoop.soon(this.#flush);
  };

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    this.#sender.endBurst();
    this.#flushHandles();
    this.#drain();
  };

  #flushHandles(): void {
    for (const handle of this.#handles) if (handle.dirty) handle.flush();
  }

  // Messages.

  // The calls of the hot path are not async functions: those would make three promises of one.

  send(queue: QueueDefinition, messages: readonly OutgoingMessage[]): Promise<SendOutcome[]> {
    const result = deferred<SendOutcome[]>();
    this.sendTo(queue, messages, result);
    return result.promise;
  }

  sendTo(
    queue: QueueDefinition,
    messages: readonly OutgoingMessage[],
    result: Settle<SendOutcome[]>,
  ): void {
    try {
      this.#sender.send(queue, messages, result);
    } catch (error) {
      result.reject(error);
    }
  }

  receive(queue: QueueDefinition, options: ReceiveOptions): Promise<Delivered[]> {
    const result = deferred<Delivered[]>();
    try {
      const receiver = this.#receive(queue, options, result);
      if (options.signal !== undefined) receiver.watch(options.signal);
    } catch (error) {
      result.reject(error);
    }
    return result.promise;
  }

  receiveTo(
    queue: QueueDefinition,
    options: ReceiveOptions,
    result: Settle<Delivered[]>,
  ): PendingReceive {
    try {
      return this.#receive(queue, options, result);
    } catch (error) {
      result.reject(error);
      return NOT_PENDING;
    }
  }

  #receive(queue: QueueDefinition, options: ReceiveOptions, result: Settle<Delivered[]>): Receiver {
    const { max, attemptId } = options;
    const waitMs = options.waitMs ?? queue.attributes.receiveWaitMs;
    const timeoutMs = options.visibilityTimeoutMs ?? codec.TIMEOUT_OF_QUEUE;
    requireRange('max', max, 1, BATCH_ENTRIES_MAX);
    requireRange('waitMs', waitMs, 0, WAIT_MS_MAX);
    requireRange('visibilityTimeoutMs', timeoutMs, -1, VISIBILITY_TIMEOUT_MS_MAX);
    if (this.#closed) throw new BrokerError('CAPSTAN_CLOSED', 'The broker is closed.');
    const attempt = attemptId === undefined ? 0 : textHash(attemptId);
    const receivers = this.#receiversOf(queue);
    const all = {
      max,
      bytesMax: codec.REPLY_SPACE_MIN,
      visibilityTimeoutMs: timeoutMs,
      attempt,
      waitMs,
    };
    return receivers.receive(all, result);
  }

  #receiversOf(queue: QueueDefinition): QueueReceivers {
    let receivers = this.#receivers.get(queue.queueId);
    if (receivers === undefined) {
      receivers = new QueueReceivers(queue, this.#receiverContext);
      this.#receivers.set(queue.queueId, receivers);
    }
    return receivers;
  }

  async #giveBack(queue: QueueDefinition, messages: Delivered[]): Promise<void> {
    // Without this they would come back at their deadline: a failure costs time, not messages.
    const timeouts = messages.map(() => 0);
    await this.changeVisibility(queue, messages, timeouts).catch(() => undefined);
  }

  // Messages and receipts as bytes.

  sendEncoded(queue: QueueDefinition, block: EntryBlock, sink: EntrySink): void {
    this.#encodedSender.send(queue, block, sink);
  }

  receiveEncoded(
    queue: QueueDefinition,
    options: EncodedReceive,
    sink: MessageSink,
  ): PendingReceive {
    const { attemptId } = options;
    if (this.#closed) {
      sink.onFailure(new BrokerError('CAPSTAN_CLOSED', 'The broker is closed.'));
      return NOT_PENDING;
    }
    const all = {
      max: options.max,
      bytesMax: options.bytesMax,
      visibilityTimeoutMs: options.visibilityTimeoutMs ?? codec.TIMEOUT_OF_QUEUE,
      attempt: attemptId === undefined ? 0 : textHash(attemptId),
      waitMs: options.waitMs ?? queue.attributes.receiveWaitMs,
    };
    return this.#receiversOf(queue).receiveEncoded(all, sink);
  }

  deleteEncoded(queue: QueueDefinition, block: ReceiptBlock, sink: ResultSink): void {
    this.#receiptBatches.sendEncoded(codec.OP_DELETE, queue.queueId, block, sink);
  }

  changeVisibilityEncoded(queue: QueueDefinition, block: ReceiptBlock, sink: ResultSink): void {
    this.#receiptBatches.sendEncoded(codec.OP_CHANGE_VISIBILITY, queue.queueId, block, sink);
  }

  queueName(queueId: number): string | undefined {
    return this.#nameOf(queueId);
  }

  delete(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
  ): Promise<(ErrorCode | undefined)[]> {
    const result = deferred<(ErrorCode | undefined)[]>();
    this.deleteTo(queue, receipts, result);
    return result.promise;
  }

  deleteTo(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
    result: Settle<(ErrorCode | undefined)[]>,
  ): void {
    try {
      requireRange('receipts', receipts.length, 0, BATCH_ENTRIES_MAX);
      this.#receiptBatches.send(codec.OP_DELETE, queue.queueId, receipts, undefined, result);
    } catch (error) {
      result.reject(error);
    }
  }

  async changeVisibility(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[],
  ): Promise<(ErrorCode | undefined)[]> {
    requireRange('receipts', receipts.length, 0, BATCH_ENTRIES_MAX);
    for (const timeoutMs of timeoutsMs) {
      requireRange('visibilityTimeoutMs', timeoutMs, 0, VISIBILITY_TIMEOUT_MS_MAX);
    }
    const op = codec.OP_CHANGE_VISIBILITY;
    const result = deferred<(ErrorCode | undefined)[]>();
    this.#receiptBatches.send(op, queue.queueId, receipts, timeoutsMs, result);
    return result.promise;
  }

  async purge(queue: QueueDefinition): Promise<void> {
    for (const handle of this.#handles) if (!handle.running) throw handle.unavailable();
    await this.#catalog.admitPurge(queue.queueId);
    const asks = this.#handles.map((handle) =>
      ask(handle, codec.OP_PURGE, 0, queue.queueId, 0, undefined, () => undefined),
    );
    await Promise.all(asks);
  }

  async peek(queue: QueueDefinition, max: number): Promise<Delivered[]> {
    requireRange('max', max, 1, BATCH_ENTRIES_MAX);
    const { queueId } = queue;
    const parts = await Promise.all(
      this.#running().map((handle) => {
        const read = (buffer: Buffer, view: DataView, at: number, length: number) =>
          takeMessages(
            buffer,
            at,
            length,
            view.getUint16(at + codec.COUNT_AT, true),
            handle.partition,
            queueId,
            this.#receipts,
            this.#nameOf,
          );
        return ask(handle, codec.OP_PEEK, max, queueId, BATCH_BYTES_MAX, undefined, read);
      }),
    );
    return parts
      .flat()
      .toSorted((a, b) => a.sentAtMs - b.sentAtMs)
      .slice(0, max);
  }

  counts({ boardRow }: QueueDefinition): QueueCounts {
    return {
      visible: this.#board.visible(boardRow),
      inFlight: this.#board.inFlight(boardRow),
      delayed: this.#board.delayed(boardRow),
    };
  }

  async oldestSentAtMs(queue: QueueDefinition): Promise<number | undefined> {
    const read = (_: Buffer, view: DataView, at: number) =>
      view.getFloat64(at + codec.REPLY_HEADER_BYTES + 12, true);
    const parts = await Promise.all(
      this.#running().map((handle) =>
        ask(handle, codec.OP_INSPECT, 0, queue.queueId, 0, undefined, read),
      ),
    );
    const oldest = Math.min(...parts.filter((sentAt) => sentAt > 0));
    return Number.isFinite(oldest) ? oldest : undefined;
  }

  // For the broker: what its own thread's router does on behalf of all.

  /** Gives a partition one queue's settings. */
  async define(partition: number, settings: Uint8Array): Promise<void> {
    const handle = this.#handles[partition]!;
    await ask(handle, codec.OP_DEFINE, 0, 0, 0, settings, () => undefined);
  }

  /** Makes a partition forget a queue and all of its messages. */
  async drop(partition: number, queueId: number): Promise<void> {
    const handle = this.#handles[partition]!;
    await ask(handle, codec.OP_DROP, 0, queueId, 0, undefined, () => undefined);
  }

  /** Moves up to `max` visible messages of `partition`; destination 0: each one's own source. */
  async move(
    source: number,
    destination: number,
    partition: number,
    max: number,
  ): Promise<MoveStep> {
    const read = (_: Buffer, view: DataView, at: number): MoveStep => ({
      moved: view.getUint32(at + codec.FIRST_AT, true),
      left: view.getUint32(at + codec.SECOND_AT, true),
      stranded: view.getUint32(at + codec.REPLY_HEADER_BYTES, true),
      inTransit: view.getUint32(at + codec.REPLY_HEADER_BYTES + 4, true),
    });
    const handle = this.#handles[partition]!;
    return ask(handle, codec.OP_MOVE, max, source, destination, undefined, read);
  }

  async stop(partition: number): Promise<void> {
    const handle = this.#handles[partition]!;
    await ask(handle, codec.OP_STOP, 0, 0, 0, undefined, () => undefined);
  }

  /** Makes a partition fail on purpose; it must have been started with faults let through. */
  async fault(partition: number, kind: codec.FaultKind): Promise<void> {
    const handle = this.#handles[partition]!;
    const index = codec.FAULT_KINDS.indexOf(kind);
    await ask(handle, codec.OP_FAULT, index, 0, 0, undefined, () => undefined);
  }

  #running(): PartitionHandle[] {
    return this.#handles.filter((handle) => handle.running);
  }

  // The catalog.

  findQueue(name: string): QueueDefinition | undefined {
    return this.#definitions.find(name);
  }

  listQueues(options: ListQueuesOptions): QueueDefinition[] {
    return this.#definitions.list(options);
  }

  listDeadLetterSources(name: string): string[] {
    return this.#definitions.deadLetterSources(name);
  }

  createQueue(
    name: string,
    attributes: Partial<QueueAttributes>,
    tags: Readonly<Record<string, string>> = {},
  ): Promise<QueueDefinition> {
    return this.#catalog.createQueue(name, attributes, tags);
  }

  setAttributes(name: string, attributes: Partial<QueueAttributes>): Promise<QueueDefinition> {
    return this.#catalog.setAttributes(name, attributes);
  }

  setTags(
    name: string,
    add: Readonly<Record<string, string>>,
    remove: readonly string[],
  ): Promise<QueueDefinition> {
    return this.#catalog.setTags(name, add, remove);
  }

  editPolicy(name: string, edit: PolicyEdit): Promise<QueueDefinition> {
    return this.#catalog.editPolicy(name, edit);
  }

  deleteQueue(name: string): Promise<void> {
    return this.#catalog.deleteQueue(name);
  }

  startMoveTask(
    source: string,
    destination: string | undefined,
    messagesPerSecondMax: number | undefined,
  ): Promise<MoveTask> {
    return this.#catalog.startMoveTask(source, destination, messagesPerSecondMax);
  }

  listMoveTasks(source: string, max: number): Promise<MoveTask[]> {
    return this.#catalog.listMoveTasks(source, max);
  }

  cancelMoveTask(taskId: string): Promise<MoveTask> {
    return this.#catalog.cancelMoveTask(taskId);
  }
}

/** Of a receive that has ended. */
const NOT_PENDING: PendingReceive = { cancel: () => undefined };

function requireRange(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new BrokerError(
    'CAPSTAN_INVALID_ARGUMENT',
    `${what} is ${value}; it must be a whole number from ${min} to ${max}.`,
  );
}
