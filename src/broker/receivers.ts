/* Receiving across partitions. A receiver asks a partition that has something ready, rotating; when
 * none has, it waits, and the queue's flag on the board makes partitions tell when one has.
 *
 * Invariants: a router never asks a partition for more messages of a queue than the board says are
 * ready there, less what it has asked for already; a receiver has at most one ask under way; the
 * flag of a queue is up exactly while receivers wait for it. */

import { BrokerError, NO_ERROR } from '../base/errors.ts';
import type { Board } from '../command/board.ts';
import * as codec from '../command/command-codec.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import { type Delivered, takeMessages } from './delivered.ts';
import type { PartitionHandle, PendingRequest } from './partition-handle.ts';
import type { ReceiptCodec } from './receipt-handle.ts';
import { type Deferred, deferred, refusal } from './requests.ts';

const NO_MESSAGES: readonly never[] = [];

/** What receivers need of their router. */
export interface ReceiverContext {
  readonly router: number;
  readonly board: Board;
  readonly handles: readonly PartitionHandle[];
  readonly receipts: ReceiptCodec;
  readonly nameOf: (queueId: number) => string | undefined;
  /** Frames were begun: flush before long. */
  readonly flushSoon: () => void;
  /** Messages came for a receiver that is gone: make them visible again. */
  readonly giveBack: (queue: QueueDefinition, messages: Delivered[]) => void;
}

/** One queue, as one router's receivers see it. */
export class QueueReceivers {
  readonly queue: QueueDefinition;
  readonly #context: ReceiverContext;
  readonly #waiting = new Set<Receiver>();
  /** Messages asked for and not answered yet, by partition. */
  readonly #asked: Int32Array;
  /** The partition to look at first. */
  #next: number;
  #flagged = false;

  constructor(queue: QueueDefinition, context: ReceiverContext) {
    this.queue = queue;
    this.#context = context;
    this.#asked = new Int32Array(context.handles.length);
    this.#next = (queue.queueId + context.router) % context.handles.length;
  }

  get idle(): boolean {
    return this.#waiting.size === 0 && this.#asked.every((asked) => asked === 0);
  }

  receive(
    max: number,
    visibilityTimeoutMs: number,
    attempt: number,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Delivered[]> {
    const receiver = new Receiver(this, max, visibilityTimeoutMs, attempt, waitMs);
    // Those that wait already come first.
    if (this.#waiting.size > 0 || !this.ask(receiver)) {
      if (waitMs === 0) receiver.finish(NO_MESSAGES as unknown as Delivered[]);
      else this.wait(receiver);
    }
    if (signal !== undefined && !receiver.done) receiver.watch(signal);
    return receiver.promise;
  }

  /** Asks a partition that has messages ready; false when there is none. */
  ask(receiver: Receiver): boolean {
    const { board, handles, flushSoon } = this.#context;
    const count = handles.length;
    let partition = this.#next;
    for (let tried = 0; tried < count; tried++) {
      if (partition >= count) partition = 0;
      const left = board.ready(partition, this.queue.boardRow) - this.#asked[partition]!;
      const handle = handles[partition]!;
      if (left > 0 && handle.running) {
        this.#next = partition + 1;
        receiver.askedOf = partition;
        receiver.asked = Math.min(left, receiver.max);
        this.#asked[partition]! += receiver.asked;
        writeReceive(handle, receiver, this.queue.queueId);
        flushSoon();
        return true;
      }
      partition++;
    }
    return false;
  }

  /** The receiver's ask is answered or has failed. */
  answered(receiver: Receiver): void {
    this.#asked[receiver.askedOf]! -= receiver.asked;
  }

  /** Puts a receiver among those that wait. */
  wait(receiver: Receiver): void {
    this.#waiting.add(receiver);
    receiver.startTimer();
    if (!this.#flagged) {
      this.#flagged = true;
      this.#context.board.raiseFlag(this.#context.router, this.queue.boardRow);
    }
    // The flag is up; what became visible before that is seen by looking once more.
    this.serve();
  }

  leave(receiver: Receiver): void {
    if (this.#waiting.delete(receiver) && this.#waiting.size === 0) this.#lowerFlag();
  }

  #lowerFlag(): void {
    this.#flagged = false;
    this.#context.board.lowerFlag(this.#context.router, this.queue.boardRow);
  }

  /** Lets those that wait ask, in the order they came, as long as anything is ready. */
  serve(): void {
    for (const receiver of this.#waiting) {
      if (!this.ask(receiver)) return;
      this.#waiting.delete(receiver);
    }
    if (this.#flagged) this.#lowerFlag();
  }

  take(ring: Buffer, at: number, length: number, count: number, partition: number): Delivered[] {
    const { receipts, nameOf } = this.#context;
    const { queueId } = this.queue;
    return takeMessages(ring, at, length, count, partition, queueId, receipts, nameOf);
  }

  giveBack(messages: Delivered[]): void {
    this.#context.giveBack(this.queue, messages);
  }

  /** The queue is gone: nobody waits for it any longer. */
  close(error: BrokerError | undefined): void {
    for (const receiver of [...this.#waiting]) {
      if (error === undefined) receiver.finish([]);
      else receiver.fail(error);
    }
  }
}

function writeReceive(handle: PartitionHandle, receiver: Receiver, queueId: number): void {
  const correlation = handle.begin(codec.RECEIVE_REQUEST_BYTES, receiver);
  const { view, at } = handle;
  codec.writeRequestHeader(
    view,
    at,
    codec.OP_RECEIVE,
    receiver.max,
    correlation,
    queueId,
    codec.REPLY_SPACE_MIN,
  );
  view.setInt32(at + codec.RECEIVE_TIMEOUT_AT, receiver.visibilityTimeoutMs, true);
  view.setFloat64(at + codec.RECEIVE_ATTEMPT_AT, receiver.attempt, true);
  handle.finish(codec.RECEIVE_REQUEST_BYTES);
}

/** One call of receive, from its first ask to its end. */
export class Receiver implements PendingRequest {
  readonly max: number;
  readonly visibilityTimeoutMs: number;
  readonly attempt: number;
  askedOf = 0;
  asked = 0;
  done = false;
  readonly #queue: QueueReceivers;
  readonly #waitMs: number;
  readonly #deferred: Deferred<Delivered[]> = deferred();
  #timer: NodeJS.Timeout | undefined;
  #timedOut = false;
  #unwatch: (() => void) | undefined;

  constructor(
    queue: QueueReceivers,
    max: number,
    visibilityTimeoutMs: number,
    attempt: number,
    waitMs: number,
  ) {
    this.#queue = queue;
    this.max = max;
    this.visibilityTimeoutMs = visibilityTimeoutMs;
    this.attempt = attempt;
    this.#waitMs = waitMs;
  }

  get promise(): Promise<Delivered[]> {
    return this.#deferred.promise;
  }

  startTimer(): void {
    this.#timer ??= setTimeout(() => {
      this.#timedOut = true;
      this.#stopWaiting();
    }, this.#waitMs);
  }

  watch(signal: AbortSignal): void {
    const onAbort = () => {
      this.#timedOut = true;
      this.#stopWaiting();
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    this.#unwatch = () => signal.removeEventListener('abort', onAbort);
    this.#aborted = () => signal.aborted;
  }

  #aborted: () => boolean = () => false;

  /** Ends the wait; an ask under way is let come in first. */
  #stopWaiting(): void {
    if (this.asked === 0) this.finish([]);
  }

  onReply(buffer: Buffer, view: DataView, at: number, length: number): void {
    this.#queue.answered(this);
    this.asked = 0;
    const error = buffer[at + codec.ERROR_AT]!;
    const count = view.getUint16(at + codec.COUNT_AT, true);
    if (count > 0) {
      this.#deliver(this.#queue.take(buffer, at, length, count, this.askedOf));
      return;
    }
    if (error !== NO_ERROR && this.#waitMs === 0) {
      this.fail(refusal(error, this.#queue.queue.name));
      return;
    }
    this.#goOn();
  }

  #deliver(messages: Delivered[]): void {
    if (this.#aborted()) {
      this.finish([]);
      this.#queue.giveBack(messages);
      return;
    }
    this.finish(messages);
  }

  onFailure(error: BrokerError): void {
    this.#queue.answered(this);
    this.asked = 0;
    if (this.#waitMs === 0) this.fail(error);
    else this.#goOn();
  }

  /** What was ready went to somebody else: ask another partition, or wait. */
  #goOn(): void {
    if (this.done) return;
    if (!this.#timedOut && this.#queue.ask(this)) return;
    if (this.#timedOut || this.#waitMs === 0) this.finish([]);
    else this.#queue.wait(this);
  }

  finish(messages: Delivered[]): void {
    if (this.#end()) this.#deferred.resolve(messages);
  }

  fail(error: BrokerError): void {
    if (this.#end()) this.#deferred.reject(error);
  }

  #end(): boolean {
    if (this.done) return false;
    this.done = true;
    clearTimeout(this.#timer);
    this.#unwatch?.();
    this.#queue.leave(this);
    return true;
  }
}
