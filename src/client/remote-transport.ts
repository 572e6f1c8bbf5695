/* A broker on the other side of a connection: turns calls into frames, and answers into what was
 * asked for. */

import { BrokerError } from '../base/errors.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  ENTRY_OVERHEAD_BYTES_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
  WAIT_MS_MAX,
} from '../base/limits.ts';
import { RECEIPT_BYTES, TIMED_RECEIPT_BYTES } from '../wire/delivery.ts';
import { ATTEMPT_ID_CHARS_MAX, FRAME, HANDLES_MAX, QUEUE_NAME_CHARS_MAX } from '../wire/frame.ts';
import type { FrameReader } from '../wire/frame-reader.ts';
import { FrameWriter } from '../wire/frame-writer.ts';
import { Connection, type ConnectionEvents, type ConnectionOptions } from './connection.ts';
import { attributeBlock, entryBound, writeEntry } from './entry-writer.ts';
import { FramePool } from './frame-pool.ts';
import { ReceiptGather, SendGather, writeReceipt } from './gathers.ts';
import type { Message, MessageQueue, ReceiptSource } from './message.ts';
import { remoteCalls } from './remote-calls.ts';
import { readMessages } from './remote-message.ts';
import { RemoteSubscription } from './remote-subscription.ts';
import { Call, type ClientRequest, timedOut } from './request.ts';
import { MessagesRequest, ValueRequest } from './requests.ts';
import type {
  ReceiptResults,
  SubscribeOptions,
  SubscriptionSink,
  Transport,
  TransportSubscription,
} from './transport.ts';
import type {
  BrokerState,
  MessageInput,
  ReceiveOptions,
  RequestOptions,
  SendResult,
  StateListener,
} from './types.ts';

/** The longest time that a timer can have. */
const TIMER_MS_MAX = 0x7fff_ffff;

/** What one queue has gathered in this turn. */
interface QueueGathers {
  readonly handle: number;
  send: SendGather | undefined;
  remove: ReceiptGather | undefined;
  extend: ReceiptGather | undefined;
  release: ReceiptGather | undefined;
}

export interface RemoteOptions extends ConnectionOptions {
  readonly requestTimeoutMs: number;
}

export class RemoteTransport implements Transport {
  readonly #options: RemoteOptions;
  readonly #connection: Connection;
  readonly #queues = new Map<string, QueueGathers>();
  /** Those with something to seal. */
  readonly #dirty = new Set<QueueGathers>();
  readonly #subscriptions = new Map<number, RemoteSubscription>();
  /** Of queues that messages were dead-lettered from, by id. */
  readonly #queueNames = new Map<number, string>();
  readonly #pool = new FramePool();
  #lastSubscription = 0;

  constructor(options: RemoteOptions) {
    this.#options = options;
    const events: ConnectionEvents = {
      onConnected: () => this.#onConnected(),
      onFlush: () => this.#seal(),
      onPush: (id, count, reader) => this.#onPush(id, count, reader),
      onSubscriptionEnded: (id, error) => {
        const subscription = this.#subscriptions.get(id);
        this.#subscriptions.delete(id);
        subscription?.end(error);
      },
      onQueueName: (queueId, name) => void this.#queueNames.set(queueId, name),
    };
    this.#connection = new Connection(options, events);
    this.#connection.onStateChange((state, error) => {
      if (state === 'closed') this.#onClosed(error);
    });
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  get state(): BrokerState {
    return this.#connection.state;
  }

  onStateChange(listener: StateListener): () => void {
    return this.#connection.onStateChange(listener);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  // Handles.

  /** Throws for a name that the server would close the connection over. */
  #gathers(name: string): QueueGathers {
    let queue = this.#queues.get(name);
    if (queue !== undefined) return queue;
    if (name.length > QUEUE_NAME_CHARS_MAX) {
      throw new BrokerError(
        'CAPSTAN_QUEUE_DOES_NOT_EXIST',
        `A queue's name has at most ${QUEUE_NAME_CHARS_MAX} characters; this one has ` +
          `${name.length}.`,
      );
    }
    if (this.#queues.size === HANDLES_MAX) {
      const detail = `One connection serves at most ${HANDLES_MAX} queues.`;
      throw new BrokerError('CAPSTAN_OVER_LIMIT', detail);
    }
    const handle = this.#queues.size;
    queue = { handle, send: undefined, remove: undefined, extend: undefined, release: undefined };
    this.#queues.set(name, queue);
    this.#bind(handle, name);
    return queue;
  }

  #bind(handle: number, name: string): void {
    const writer = new FrameWriter(16 + name.length * 3);
    writer.array(3);
    writer.uint(FRAME.BIND);
    writer.uint(handle);
    writer.string(name);
    this.#connection.post(writer.written);
  }

  #onConnected(): void {
    this.#queueNames.clear();
    for (const [name, { handle }] of this.#queues) this.#bind(handle, name);
    for (const subscription of this.#subscriptions.values()) {
      if (!subscription.ended) this.#subscribe(subscription);
    }
  }

  #onClosed(error: BrokerError | undefined): void {
    const reason = error ?? new BrokerError('CAPSTAN_CLOSED', 'The connection was closed.');
    for (const subscription of this.#subscriptions.values()) subscription.end(reason);
    this.#subscriptions.clear();
    this.#seal();
  }

  // Gathers.

  #deadline(options: RequestOptions, waitMs = 0): number {
    return performance.now() + waitMs + (options.timeoutMs ?? this.#options.requestTimeoutMs);
  }

  #touch(queue: QueueGathers): void {
    if (this.#dirty.size === 0) this.#connection.scheduleFlush();
    this.#dirty.add(queue);
  }

  #seal(): void {
    for (const queue of this.#dirty) {
      const { send, remove, extend, release } = queue;
      queue.send = undefined;
      queue.remove = undefined;
      queue.extend = undefined;
      queue.release = undefined;
      for (const gather of [send, remove, extend, release]) {
        if (gather !== undefined) this.#sealOne(gather);
      }
    }
    this.#dirty.clear();
  }

  #sealOne(gather: SendGather | ReceiptGather): void {
    gather.seal(this.#connection.nextCorrelation);
    this.#connection.request(gather);
  }

  async send(
    name: string,
    messages: readonly MessageInput[],
    options: RequestOptions,
  ): Promise<SendResult[]> {
    if (messages.length === 0) return [];
    requireBatch(messages.length);
    const queue = this.#gathers(name);
    let bound = 0;
    let attributes: (Uint8Array | undefined)[] | undefined;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]!;
      let block: Uint8Array | undefined;
      if (message.attributes !== undefined) {
        attributes ??= [];
        block = attributes[i] = attributeBlock(message.attributes);
      }
      bound += entryBound(message, block);
    }
    const deadlineMs = this.#deadline(options);
    const admission = this.#connection.admission(bound);
    if (admission !== undefined) await this.#wait(admission, bound, options, deadlineMs);
    return this.#gatherSend(queue, messages, attributes, bound, options, deadlineMs).promise;
  }

  /** Rejects when the call is given up or is over before there is room for it. */
  async #wait(
    admission: Promise<void>,
    bytes: number,
    options: RequestOptions,
    deadlineMs: number,
  ): Promise<void> {
    const call = new Call<void>(options, deadlineMs, 0, 0);
    void admission.then(() => {
      // Nobody else will give back what was admitted too late.
      if (call.settled) this.#connection.free(bytes);
      else call.resolve();
    });
    const leftMs = Math.min(deadlineMs - performance.now(), TIMER_MS_MAX);
    const timer = setTimeout(() => call.reject(timedOut()), leftMs);
    await call.promise.finally(() => clearTimeout(timer));
  }

  #gatherSend(
    queue: QueueGathers,
    messages: readonly MessageInput[],
    attributes: readonly (Uint8Array | undefined)[] | undefined,
    bound: number,
    options: RequestOptions,
    deadlineMs: number,
  ): Call<SendResult[]> {
    let gather = queue.send;
    const count = messages.length;
    if (
      gather !== undefined &&
      (gather.count + count > BATCH_ENTRIES_MAX || gather.bytes + bound > BATCH_BYTES_MAX)
    ) {
      queue.send = undefined;
      this.#sealOne(gather);
      gather = undefined;
    }
    gather ??= new SendGather(queue.handle, this.#pool);
    const { writer } = gather;
    const before = writer.length;
    try {
      for (let i = 0; i < count; i++) writeEntry(messages[i]!, attributes?.[i], writer);
      requireBatchBytes(writer.length - before, count);
    } catch (error) {
      writer.length = before;
      this.#connection.free(bound);
      throw error;
    }
    const call = new Call<SendResult[]>(options, deadlineMs, gather.count, count);
    gather.calls.push(call);
    gather.count += count;
    gather.admittedBytes += bound;
    queue.send = gather;
    this.#touch(queue);
    return call;
  }

  async delete(
    name: string,
    receipts: readonly ReceiptSource[],
    options: RequestOptions,
  ): Promise<ReceiptResults> {
    return this.#settle(name, 'remove', FRAME.DELETE, receipts, undefined, options);
  }

  async changeVisibility(
    name: string,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[],
    release: boolean,
    options: RequestOptions,
  ): Promise<ReceiptResults> {
    for (const timeoutMs of timeoutsMs) requireTimeout(timeoutMs);
    if (release) return this.#settle(name, 'release', FRAME.RELEASE, receipts, timeoutsMs, options);
    return this.#settle(name, 'extend', FRAME.EXTEND, receipts, timeoutsMs, options);
  }

  async #settle(
    name: string,
    slot: 'remove' | 'extend' | 'release',
    kind: number,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[] | undefined,
    options: RequestOptions,
  ): Promise<ReceiptResults> {
    const count = receipts.length;
    if (count === 0) return [];
    requireBatch(count);
    const queue = this.#gathers(name);
    const bytes = count * (timeoutsMs === undefined ? RECEIPT_BYTES : TIMED_RECEIPT_BYTES);
    const deadlineMs = this.#deadline(options);
    const admission = this.#connection.admission(bytes);
    if (admission !== undefined) await this.#wait(admission, bytes, options, deadlineMs);
    let gather = queue[slot];
    if (gather !== undefined && gather.count + count > BATCH_ENTRIES_MAX) {
      this.#sealOne(gather);
      gather = undefined;
    }
    gather ??= new ReceiptGather(kind, queue.handle, this.#pool);
    const { writer } = gather;
    for (let i = 0; i < count; i++) {
      writeReceipt(receipts[i]!, writer);
      if (timeoutsMs === undefined) continue;
      writer.view.setUint32(writer.length, timeoutsMs[i]!, true);
      writer.length += 4;
    }
    const call = new Call<ReceiptResults>(options, deadlineMs, gather.count, count);
    gather.calls.push(call);
    gather.count += count;
    gather.admittedBytes += bytes;
    queue[slot] = gather;
    this.#touch(queue);
    return call.promise;
  }

  // Single requests.

  /** Writes a request's frame; `body` adds what follows the correlation. */
  #submit(
    request: ClientRequest,
    kind: number,
    fields: number,
    body: (writer: FrameWriter) => void,
  ): void {
    // What was gathered before goes first.
    this.#seal();
    const writer = new FrameWriter(64);
    request.correlation = this.#connection.nextCorrelation;
    writer.array(fields);
    writer.uint(kind);
    writer.uint(request.correlation);
    body(writer);
    request.frame = writer.written;
    request.admittedBytes = 0;
    this.#connection.request(request);
  }

  async receive(queue: MessageQueue, options: ReceiveOptions): Promise<Message[]> {
    const { max = 1, waitMs, visibilityTimeoutMs, attemptId, signal } = options;
    requireWhole('max', max, 1, BATCH_ENTRIES_MAX);
    if (waitMs !== undefined) requireWhole('waitMs', waitMs, 0, WAIT_MS_MAX);
    if (visibilityTimeoutMs !== undefined) requireTimeout(visibilityTimeoutMs);
    if (attemptId !== undefined) requireAttemptId(attemptId);
    const { handle } = this.#gathers(queue.name);
    if (signal?.aborted === true) return [];
    const deadline = this.#deadline(options, waitMs ?? WAIT_MS_MAX);
    const call = new Call<Message[]>({ signal }, deadline, 0, 1);
    const request = new MessagesRequest(call, (count, reader) => {
      const messages = readMessages(queue, count, reader, this.#queueNames);
      if (call.settled && messages.length > 0) this.#giveBack(queue, messages);
      return messages;
    });
    // The wait is ended, and what is on its way already is given back.
    call.onAborted = () => {
      call.resolve([]);
      this.#cancel(request.correlation);
    };
    this.#submit(request, FRAME.RECEIVE, 7, (writer) => {
      writer.uint(handle);
      writer.uint(max);
      writer.uintOrNil(waitMs);
      writer.uintOrNil(visibilityTimeoutMs);
      if (attemptId === undefined) writer.nil();
      else writer.string(attemptId);
    });
    return call.promise;
  }

  #cancel(correlation: number): void {
    const writer = new FrameWriter(16);
    writer.array(2);
    writer.uint(FRAME.CANCEL);
    writer.uint(correlation);
    this.#connection.post(writer.written);
  }

  #giveBack(queue: MessageQueue, messages: readonly Message[]): void {
    const timeoutsMs = messages.map(() => 0);
    // Otherwise they come back at their deadlines.
    this.changeVisibility(queue.name, messages, timeoutsMs, true, {}).catch(() => undefined);
  }

  async peek(queue: MessageQueue, max: number): Promise<Message[]> {
    const call = new Call<Message[]>({}, this.#deadline({}), 0, 1);
    const request = new MessagesRequest(call, (count, reader) =>
      readMessages(queue, count, reader, this.#queueNames),
    );
    this.#submit(request, FRAME.CALL, 4, (writer) => {
      writer.string('peek');
      writer.value({ queue: queue.name, max });
    });
    return call.promise;
  }

  readonly calls = remoteCalls((method, args, once) => {
    const call = new Call<unknown>({}, this.#deadline({}), 0, 1);
    this.#submit(new ValueRequest(call, once), FRAME.CALL, 4, (writer) => {
      writer.string(method);
      writer.value(args);
    });
    return call.promise;
  });

  // Subscriptions.

  subscribe(
    queue: MessageQueue,
    options: SubscribeOptions,
    sink: SubscriptionSink,
  ): TransportSubscription {
    const id = ++this.#lastSubscription;
    const subscription = new RemoteSubscription(id, queue, options, sink, {
      post: (frame) => this.#connection.post(frame),
      stop: (each) => this.#unsubscribe(each),
    });
    this.#subscriptions.set(id, subscription);
    try {
      if (this.state === 'closed') {
        throw new BrokerError('CAPSTAN_CLOSED', 'The connection is closed.');
      }
      this.#gathers(queue.name);
    } catch (error) {
      this.#subscriptions.delete(id);
      // Later than the call, like everything that a sink is told.
      queueMicrotask(() => subscription.end(error as BrokerError));
      return subscription;
    }
    if (this.state === 'connected') this.#subscribe(subscription);
    return subscription;
  }

  #subscribe(subscription: RemoteSubscription): void {
    const { handle } = this.#gathers(subscription.queue.name);
    const call = new Call<unknown>({}, Infinity, 0, 1);
    call.promise.then(
      (value) => subscription.started(value),
      (error: unknown) => this.#onRefused(subscription, error as BrokerError),
    );
    // It belongs to this connection: the next one has its own.
    this.#submit(new ValueRequest(call, true), FRAME.SUBSCRIBE, 6, (writer) => {
      writer.uint(subscription.id);
      writer.uint(handle);
      subscription.writeOptions(writer);
    });
  }

  #onRefused(subscription: RemoteSubscription, error: BrokerError): void {
    // Of a connection that was lost meanwhile.
    if (error.code === 'CAPSTAN_CONNECTION_LOST') return;
    this.#subscriptions.delete(subscription.id);
    subscription.end(error);
  }

  /** Resolves when nothing more will be pushed. */
  async #unsubscribe(subscription: RemoteSubscription): Promise<void> {
    if (this.#subscriptions.get(subscription.id) !== subscription) return;
    if (this.state !== 'connected') {
      this.#subscriptions.delete(subscription.id);
      return;
    }
    const call = new Call<unknown>({}, this.#deadline({}), 0, 1);
    this.#submit(new ValueRequest(call, true), FRAME.UNSUBSCRIBE, 3, (writer) => {
      writer.uint(subscription.id);
    });
    // A connection that is lost takes its subscriptions along.
    await call.promise.catch(() => undefined);
    this.#subscriptions.delete(subscription.id);
  }

  #onPush(id: number, count: number, reader: FrameReader): void {
    const subscription = this.#subscriptions.get(id);
    const queue = subscription?.queue;
    if (subscription === undefined || queue === undefined) {
      reader.bytesField();
      return;
    }
    subscription.deliver(readMessages(queue, count, reader, this.#queueNames));
  }
}

function requireWhole(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new BrokerError(
    'CAPSTAN_INVALID_ARGUMENT',
    `${what} is ${value}; it must be a whole number from ${min} to ${max}.`,
  );
}

function requireTimeout(timeoutMs: number): void {
  requireWhole('A visibility timeout', timeoutMs, 0, VISIBILITY_TIMEOUT_MS_MAX);
}

function requireAttemptId(id: string): void {
  if (id.length <= ATTEMPT_ID_CHARS_MAX) return;
  throw new BrokerError(
    'CAPSTAN_INVALID_ARGUMENT',
    `An attemptId has at most ${ATTEMPT_ID_CHARS_MAX} characters; this one has ${id.length}.`,
  );
}

function requireBatchBytes(bytes: number, count: number): void {
  if (bytes <= BATCH_BYTES_MAX + count * ENTRY_OVERHEAD_BYTES_MAX) return;
  throw new BrokerError(
    'CAPSTAN_BATCH_TOO_LARGE',
    `A batch holds at most ${BATCH_BYTES_MAX} bytes; this one has ${bytes}.`,
  );
}

function requireBatch(count: number): void {
  if (count <= BATCH_ENTRIES_MAX) return;
  throw new BrokerError(
    'CAPSTAN_BATCH_TOO_LARGE',
    `A batch holds at most ${BATCH_ENTRIES_MAX} entries; this one has ${count}.`,
  );
}
