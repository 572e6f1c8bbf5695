/* Receiving across partitions. A receiver asks a partition that has something ready, rotating; when
 * none has, it waits, and the queue's flag on the board makes partitions tell when one has.
 *
 * Invariants: a router never asks a partition for more messages of a queue than the board says are
 * ready there, less what it has asked for already; a receiver has at most one ask under way; the
 * flag of a queue is up exactly while receivers wait for it. */

import { assert } from '../base/assert.ts';
import { BrokerError, NO_ERROR } from '../base/errors.ts';
import type { EventLoop, Timer } from '../base/event-loop.ts';
import { type Linked, LinkedList } from '../base/linked-list.ts';
import type { Settle } from '../base/settle.ts';
import type { Board } from '../command/board.ts';
import * as codec from '../command/command-codec.ts';
import * as entry from '../command/message-entry.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import { type Delivered, takeMessages } from './delivered.ts';
import type { MessageSink } from './native-service.ts';
import type { PartitionHandle, PendingRequest } from './partition-handle.ts';
import type { ReceiptCodec } from './receipt-handle.ts';
import { refusal } from './requests.ts';
import type { PendingReceive } from './service.ts';

/** What receivers need of their router. */
export interface ReceiverContext {
  readonly router: number;
  readonly board: Board;
  readonly handles: readonly PartitionHandle[];
  readonly receipts: ReceiptCodec;
  readonly eventLoop: EventLoop;
  readonly nameOf: (queueId: number) => string | undefined;
  /** Frames were begun: flush before long. */
  readonly flushSoon: () => void;
  /** Messages came for a receiver that is gone: make them visible again. */
  readonly giveBack: (queue: QueueDefinition, messages: Delivered[]) => void;
  /** False once waits have been ended: what was on its way to one must not begin it. */
  readonly mayWait: () => boolean;
}

/** One queue, as one router's receivers see it. */
export class QueueReceivers {
  readonly queue: QueueDefinition;
  readonly #context: ReceiverContext;
  /** Those that wait, the longest first. */
  readonly #waiting = new LinkedList<Receiver>();
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

  get eventLoop(): EventLoop {
    return this.#context.eventLoop;
  }

  get idle(): boolean {
    return this.#waiting.empty && this.#asked.every((asked) => asked === 0);
  }

  receive(options: ReceiverOptions, result: Settle<Delivered[]>): Receiver {
    const outlet = new MessagesOutlet(this, result);
    const receiver = new Receiver(this, outlet, options, this.#asked.length);
    this.#begin(receiver);
    return receiver;
  }

  receiveEncoded(options: ReceiverOptions, sink: MessageSink): PendingReceive {
    const outlet = new EncodedOutlet(sink, this.#context.receipts);
    const receiver = new Receiver(this, outlet, options, this.#asked.length);
    this.#begin(receiver);
    return receiver;
  }

  #begin(receiver: Receiver): void {
    // Those that wait already come first.
    if (this.#waiting.empty && this.ask(receiver)) return;
    if (receiver.waitMs === 0) receiver.finish();
    else this.wait(receiver);
  }

  /** Asks a partition that has messages ready; false when there is none. A receiver that has no
   *  room for messages is parked instead, and one whose request has no room fails: both have
   *  ended. */
  ask(receiver: Receiver): boolean {
    const { board, handles, flushSoon } = this.#context;
    const count = handles.length;
    let partition = this.#next;
    for (let tried = 0; tried < count; tried++) {
      if (partition >= count) partition = 0;
      const left = board.ready(partition, this.queue.boardRow) - this.#asked[partition]!;
      const handle = handles[partition]!;
      if ((left > 0 || receiver.mayRepeat) && handle.running) {
        if (!receiver.admit()) return true;
        this.#next = partition + 1;
        receiver.repeatsLeft--;
        try {
          writeReceive(handle, receiver, this.queue.queueId);
        } catch (error) {
          // More is asked of the partition than can wait for it. The error is this receiver's, not
          // that of whoever had it tried.
          receiver.fail(asBrokerError(error));
          return true;
        }
        receiver.askedOf = partition;
        receiver.asked = Math.max(0, Math.min(left, receiver.options.max));
        receiver.isAsking = true;
        this.#asked[partition]! += receiver.asked;
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
    // What it was asked for on top of what it got is free for others again, and the board has
    // counted that as ready all the while: no partition rings for it.
    if (!this.#waiting.empty) this.serve();
  }

  /** Puts a receiver among those that wait. */
  wait(receiver: Receiver): void {
    if (!this.#context.mayWait()) {
      // Not at once: whoever asks again and again would never let the event loop go on.
      this.eventLoop.after(PAUSE_MS, () => receiver.finish());
      return;
    }
    this.#waiting.push(receiver);
    receiver.startTimer();
    if (!this.#flagged) {
      this.#flagged = true;
      this.#context.board.raiseFlag(this.#context.router, this.queue.boardRow);
    }
    // The flag is up; what became visible before that is seen by looking once more.
    this.serve();
  }

  leave(receiver: Receiver): void {
    if (this.#waiting.delete(receiver) && this.#waiting.empty) this.#lowerFlag();
  }

  #lowerFlag(): void {
    this.#flagged = false;
    this.#context.board.lowerFlag(this.#context.router, this.queue.boardRow);
  }

  /** Lets those that wait ask, in the order they came, as long as anything is ready. */
  serve(): void {
    for (let first = this.#waiting.first; first !== undefined; first = this.#waiting.first) {
      if (!this.ask(first)) return;
      this.#waiting.delete(first);
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
      if (error === undefined) receiver.finish();
      else receiver.fail(error);
    }
  }
}

/** Another than a BrokerError is a defect: what was begun may be on its way all the same. */
function asBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const detail = 'The request failed inside the server.';
  return new BrokerError('CAPSTAN_INTERNAL', detail, { cause: error });
}

function writeReceive(handle: PartitionHandle, receiver: Receiver, queueId: number): void {
  const correlation = handle.begin(codec.RECEIVE_REQUEST_BYTES, receiver);
  const { view, at } = handle;
  const { options } = receiver;
  codec.writeRequestHeader(
    view,
    at,
    codec.OP_RECEIVE,
    options.max,
    correlation,
    queueId,
    options.bytesMax,
  );
  view.setInt32(at + codec.RECEIVE_TIMEOUT_AT, options.visibilityTimeoutMs, true);
  view.setFloat64(at + codec.RECEIVE_ATTEMPT_AT, options.attempt, true);
  handle.finish(codec.RECEIVE_REQUEST_BYTES);
}

export interface ReceiverOptions {
  readonly max: number;
  /** Of the reply; one message comes even if it is larger. */
  readonly bytesMax: number;
  /** Or TIMEOUT_OF_QUEUE. */
  readonly visibilityTimeoutMs: number;
  /** Or NO_ATTEMPT. */
  readonly attempt: number;
  readonly waitMs: number;
}

/** Where a receiver's end goes: one call of `deliver`, `end`, `fail` or `park`. */
interface Outlet {
  /** False: there is no room for messages; `park` follows. */
  admit(): boolean;
  /** What was asked for was not there. */
  withdraw(): void;
  /** Messages, lent; `giveBack`: nobody wants them any longer. */
  deliver(
    buffer: Buffer,
    view: DataView,
    at: number,
    length: number,
    count: number,
    partition: number,
    giveBack: boolean,
  ): void;
  end(): void;
  fail(error: BrokerError): void;
  park(): void;
}

/** Messages as objects. */
class MessagesOutlet implements Outlet {
  readonly #queue: QueueReceivers;
  readonly #result: Settle<Delivered[]>;

  constructor(queue: QueueReceivers, result: Settle<Delivered[]>) {
    this.#queue = queue;
    this.#result = result;
  }

  admit(): boolean {
    return true;
  }

  withdraw(): void {}

  deliver(
    buffer: Buffer,
    _view: DataView,
    at: number,
    length: number,
    count: number,
    partition: number,
    giveBack: boolean,
  ): void {
    this.#result.resolve(giveBack ? [] : this.#queue.take(buffer, at, length, count, partition));
  }

  end(): void {
    this.#result.resolve([]);
  }

  fail(error: BrokerError): void {
    this.#result.reject(error);
  }

  park(): void {
    assert(false, 'a receiver of objects always has room');
  }
}

/** Messages as they lie in the ring, with sealed receipts. */
class EncodedOutlet implements Outlet {
  readonly #sink: MessageSink;
  readonly #receipts: ReceiptCodec;

  constructor(sink: MessageSink, receipts: ReceiptCodec) {
    this.#sink = sink;
    this.#receipts = receipts;
  }

  admit(): boolean {
    return this.#sink.admit();
  }

  withdraw(): void {
    this.#sink.withdraw();
  }

  deliver(
    buffer: Buffer,
    view: DataView,
    at: number,
    length: number,
    count: number,
    _partition: number,
    giveBack: boolean,
  ): void {
    if (giveBack) {
      this.end();
      return;
    }
    const from = at + codec.REPLY_HEADER_BYTES;
    let deliveryAt = from;
    for (let i = 0; i < count; i++) {
      this.#receipts.seal(view, deliveryAt);
      const entryAt = deliveryAt + codec.DELIVERY_HEADER_BYTES;
      deliveryAt = entryAt + view.getUint32(entryAt + entry.ENTRY_BYTES_AT, true);
    }
    this.#sink.onMessages(buffer, from, length - codec.REPLY_HEADER_BYTES, count);
  }

  end(): void {
    this.#sink.onMessages(NO_BYTES, 0, 0, 0);
  }

  fail(error: BrokerError): void {
    this.#sink.onFailure(error);
  }

  park(): void {
    this.#sink.onParked();
  }
}

const NO_BYTES = Buffer.alloc(0);
const NO_ATTEMPT = 0;

/** Replies in a row without messages, where the board had said that there were some. */
const EMPTY_REPLIES_MAX = 3;
const PAUSE_MS = 25;

/** One call of receive, from its first ask to its end. */
export class Receiver implements PendingRequest, PendingReceive, Linked<Receiver> {
  list: object | undefined;
  before: Receiver | undefined;
  after: Receiver | undefined;
  readonly options: ReceiverOptions;
  askedOf = 0;
  /** Of the ask under way; may be 0 also then. */
  asked = 0;
  isAsking = false;
  repeatsLeft: number;
  done = false;
  readonly #queue: QueueReceivers;
  readonly #outlet: Outlet;
  #timer: Timer | undefined;
  #timedOut = false;
  #cancelled = false;
  #emptyReplies = 0;
  #unwatch: (() => void) | undefined;

  constructor(queue: QueueReceivers, outlet: Outlet, options: ReceiverOptions, partitions: number) {
    this.#queue = queue;
    this.#outlet = outlet;
    this.options = options;
    const repeats = options.attempt !== NO_ATTEMPT && queue.queue.attributes.fifo;
    this.repeatsLeft = repeats ? partitions : 0;
  }

  /** What an attempt repeats is in flight, so the board does not show it: each partition is asked
   *  once, whatever is ready there. */
  get mayRepeat(): boolean {
    return this.repeatsLeft > 0;
  }

  get waitMs(): number {
    return this.options.waitMs;
  }

  startTimer(): void {
    const { eventLoop } = this.#queue;
    this.#timer ??= eventLoop.after(this.options.waitMs, () => this.#stopWaiting());
  }

  watch(signal: AbortSignal): void {
    if (this.done) return;
    if (signal.aborted) {
      this.cancel();
      return;
    }
    const onAbort = () => this.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#unwatch = () => signal.removeEventListener('abort', onAbort);
  }

  cancel(): void {
    this.#cancelled = true;
    this.#stopWaiting();
  }

  /** Ends the wait; an ask under way is let come in first. */
  #stopWaiting(): void {
    this.#timedOut = true;
    if (!this.isAsking) this.finish();
  }

  /** False: it has no room for messages, and has been parked. */
  admit(): boolean {
    if (this.#outlet.admit()) return true;
    if (this.#end()) this.#outlet.park();
    return false;
  }

  onReply(buffer: Buffer, view: DataView, at: number, length: number): void {
    this.#queue.answered(this);
    this.asked = 0;
    this.isAsking = false;
    const error = buffer[at + codec.ERROR_AT]!;
    const count = view.getUint16(at + codec.COUNT_AT, true);
    if (count > 0) {
      this.#deliver(buffer, view, at, length, count);
    } else if (error !== NO_ERROR && this.options.waitMs === 0) {
      this.fail(refusal(error, this.#queue.queue.name));
    } else if (error === NO_ERROR && ++this.#emptyReplies <= EMPTY_REPLIES_MAX) {
      this.#goOn();
    } else {
      this.#pause();
    }
  }

  #deliver(buffer: Buffer, view: DataView, at: number, length: number, count: number): void {
    const { askedOf } = this;
    if (this.#cancelled) {
      this.#queue.giveBack(this.#queue.take(buffer, at, length, count, askedOf));
    }
    if (!this.#end()) return;
    this.#outlet.deliver(buffer, view, at, length, count, askedOf, this.#cancelled);
  }

  onFailure(error: BrokerError): void {
    this.#queue.answered(this);
    this.asked = 0;
    this.isAsking = false;
    if (this.options.waitMs === 0) this.fail(error);
    else this.#goOn();
  }

  /** The board says that messages are ready, but their partition does not give them out: the queue
   *  has as many in flight as it may, or the disk is full. Asking on at once would not help. */
  #pause(): void {
    if (this.#timedOut || this.options.waitMs === 0) {
      this.finish();
      return;
    }
    this.#emptyReplies = 0;
    this.#outlet.withdraw();
    this.startTimer();
    this.#queue.eventLoop.after(PAUSE_MS, () => this.#goOn());
  }

  /** What was ready went to somebody else: ask another partition, or wait. */
  #goOn(): void {
    if (this.done) return;
    if (!this.#timedOut && this.#queue.ask(this)) return;
    if (this.#timedOut || this.options.waitMs === 0) {
      this.finish();
      return;
    }
    this.#outlet.withdraw();
    this.#queue.wait(this);
  }

  /** Ends with no messages. */
  finish(): void {
    if (this.#end()) this.#outlet.end();
  }

  fail(error: BrokerError): void {
    if (this.#end()) this.#outlet.fail(error);
  }

  #end(): boolean {
    if (this.done) return false;
    this.done = true;
    this.#queue.eventLoop.cancel(this.#timer);
    this.#unwatch?.();
    this.#queue.leave(this);
    return true;
  }
}
