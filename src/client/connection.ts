/* The connection of a remote broker: opens a socket, says hello, and keeps that up: when the
 * socket is lost it opens another one, after a pause that grows and varies, and sends again what
 * was not answered.
 *
 * Invariants: every request ends once, with its answer or with an error; the bytes of requests
 * that are not answered are bounded; on each socket, HELLO comes first, then the bindings of
 * handles, then requests in the order they were made. */

import { BrokerError, errorCodeOf } from '../base/errors.ts';
import {
  CLOSE,
  DETAIL_CHARS_MAX,
  FATAL_CLOSE_CODES,
  FRAME,
  malformed,
  PENDING_REQUESTS_MAX,
  POISONED_CLOSE_CODES,
  PROTOCOL_VERSION,
  ProtocolViolation,
  QUEUE_NAME_CHARS_MAX,
  SOCKET_MESSAGE_BYTES_MAX,
} from '../wire/frame.ts';
import { FrameReader } from '../wire/frame-reader.ts';
import { FrameWriter } from '../wire/frame-writer.ts';
import { PendingRequests } from './pending-requests.ts';
import { ClientRequest, timedOut } from './request.ts';
import type { ClientSocket, OpenSocket } from './socket.ts';
import type { BrokerState, StateListener } from './types.ts';

export interface ConnectionOptions {
  readonly url: string;
  readonly token: string | undefined;
  /** How long the first connection may take. */
  readonly connectTimeoutMs: number;
  readonly reconnectBaseMs: number;
  readonly reconnectMaxMs: number;
  readonly pingIntervalMs: number;
  readonly bufferBytesMax: number;
  readonly openSocket: OpenSocket;
  /** 0 .. 1; `Math.random`, or a test's. */
  readonly random: () => number;
}

/** What the connection hands on. */
export interface ConnectionEvents {
  /** A new socket has said hello: bind handles anew, and subscribe. Requests follow on this. */
  onConnected(): void;
  /** A turn ends: seal what has gathered. */
  onFlush(): void;
  onPush(subscription: number, count: number, reader: FrameReader): void;
  onSubscriptionEnded(subscription: number, error: BrokerError): void;
  onQueueName(queueId: number, name: string): void;
}

/** How often deadlines are looked at. */
const SWEEP_INTERVAL_MS = 50;
/** A partition that is being restarted is asked again after this. */
const RETRY_MS = 100;
/** Frames up to this size are gathered into one message. */
const GATHERED_BYTES_MAX = 16 * 1024;
const HELLO_CORRELATION = 0xffff_ffff;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #reader = new FrameReader();
  readonly #listeners = new Set<StateListener>();
  readonly #pending = new PendingRequests();
  /** Frames that leave at the end of the turn. */
  #outgoing: Uint8Array<ArrayBuffer>[] = [];
  /** Resolved one after the other as bytes become free. */
  readonly #admissions: { bytes: number; admit: () => void }[] = [];
  #unansweredBytes = 0;
  #state: BrokerState = 'connecting';
  #socket: ClientSocket | undefined;
  /** Tells events of the present socket from those of one that was given up. */
  #epoch = 0;
  #attempts = 0;
  /** Why the socket before this one was lost. */
  #lastLoss = 'the server does not answer';
  #flushScheduled = false;
  #sweepTimer: ReturnType<typeof setInterval> | undefined;
  #reconnectTimer: ReturnType<typeof setTimeout> | undefined;
  /** How long nothing came, and nothing was sent. Looks are counted, not time: after a process was
   *  suspended, its server has not been silent for so long. */
  #silentMs = 0;
  #quietMs = 0;
  #first: { resolve: () => void; reject: (error: BrokerError) => void } | undefined;
  #closed: { resolve: () => void; promise: Promise<void> } | undefined;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
  }

  get state(): BrokerState {
    return this.#state;
  }

  onStateChange(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #enter(state: BrokerState, error?: BrokerError): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state, error);
  }

  /** Resolves when the first socket has said hello. Rejects when that takes too long, or is
   *  hopeless. */
  open(): Promise<void> {
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    const { url, connectTimeoutMs } = this.#options;
    const deadline = setTimeout(() => {
      const within = `within ${connectTimeoutMs} ms`;
      const detail = `No connection to ${url} came about ${within}: ${this.#lastLoss}.`;
      this.#shutDown(new BrokerError('CAPSTAN_CONNECTION_LOST', detail));
    }, connectTimeoutMs);
    return new Promise<void>((resolve, reject) => {
      this.#first = { resolve, reject };
      this.#dial();
    }).finally(() => clearTimeout(deadline));
  }

  // The socket.

  #dial(): void {
    const epoch = ++this.#epoch;
    const current = () => epoch === this.#epoch;
    this.#silentMs = 0;
    const events = {
      onOpen: () => {
        if (current()) this.#hello();
      },
      onMessage: (bytes: Uint8Array) => {
        if (current()) this.#onMessage(bytes);
      },
      onClose: (code: number, reason: string) => {
        if (current()) this.#onClose(code, reason);
      },
    };
    this.#options.openSocket(this.#options.url, events).then(
      (socket) => {
        if (current()) this.#socket = socket;
        else socket.terminate();
      },
      (error: unknown) => {
        if (current()) this.#onClose(0, error instanceof Error ? error.message : 'unknown');
      },
    );
  }

  #hello(): void {
    const writer = new FrameWriter(256);
    writer.array(4);
    writer.uint(FRAME.HELLO);
    writer.uint(HELLO_CORRELATION);
    writer.uint(PROTOCOL_VERSION);
    const { token } = this.#options;
    writer.value(token === undefined ? null : { token });
    this.#write(writer.written);
  }

  #write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#quietMs = 0;
    this.#socket!.send(bytes);
  }

  #onWelcome(): void {
    this.#attempts = 0;
    this.#outgoing = [];
    this.#enter('connected');
    this.#first?.resolve();
    this.#first = undefined;
    const unanswered = this.#pending.inOrder();
    this.#events.onConnected();
    const lost = new BrokerError('CAPSTAN_CONNECTION_LOST', 'The connection broke off.');
    for (const request of unanswered) {
      // What was made while there was no connection has not been sent before.
      if (request.once && request.sent) {
        this.#fail(request, lost);
      } else {
        request.sent = true;
        this.#outgoing.push(request.frame);
      }
    }
    this.scheduleFlush();
  }

  #onClose(code: number, reason: string): void {
    this.#epoch++;
    this.#socket = undefined;
    const why = `${reason === '' ? 'no reason given' : reason} (${code})`;
    this.#lastLoss = why;
    if (this.#closed !== undefined) {
      this.#closed.resolve();
      return;
    }
    if (FATAL_CLOSE_CODES.has(code)) {
      const errorCode =
        code === CLOSE.UNAUTHORIZED ? 'CAPSTAN_UNAUTHORIZED' : 'CAPSTAN_UNSUPPORTED_OPERATION';
      this.#shutDown(new BrokerError(errorCode, `The server refuses the connection: ${why}.`));
      return;
    }
    const error = new BrokerError('CAPSTAN_CONNECTION_LOST', `The connection was lost: ${why}.`);
    if (this.#first === undefined) this.#enter('reconnecting', error);
    if (POISONED_CLOSE_CODES.has(code)) {
      for (const request of this.#pending.inOrder()) {
        if (request.sent) this.#fail(request, error);
      }
    }
    this.#reconnectTimer = setTimeout(() => this.#dial(), this.#pauseMs());
  }

  /** Doubles with every attempt; between half and all of that, so that many clients spread out. */
  #pauseMs(): number {
    const { reconnectBaseMs, reconnectMaxMs, random } = this.#options;
    const fullMs = Math.min(reconnectMaxMs, reconnectBaseMs * 2 ** Math.min(this.#attempts++, 30));
    return fullMs * (0.5 + random() / 2);
  }

  // Requests.

  /** Undefined: `bytes` more may be sent at once. Otherwise resolves when they may. */
  admission(bytes: number): Promise<void> | undefined {
    if (this.#admissions.length === 0 && this.#hasRoom(bytes)) {
      this.#unansweredBytes += bytes;
      return undefined;
    }
    return new Promise((admit) => this.#admissions.push({ bytes, admit }));
  }

  #hasRoom(bytes: number): boolean {
    if (this.#pending.size >= PENDING_REQUESTS_MAX / 2) return false;
    return (
      this.#unansweredBytes === 0 || this.#unansweredBytes + bytes <= this.#options.bufferBytesMax
    );
  }

  /** Bytes that were admitted are needed no longer. */
  free(bytes: number): void {
    this.#unansweredBytes -= bytes;
    let first = this.#admissions[0];
    while (first !== undefined && this.#hasRoom(first.bytes)) {
      this.#unansweredBytes += first.bytes;
      this.#admissions.shift();
      first.admit();
      first = this.#admissions[0];
    }
  }

  get unansweredBytes(): number {
    return this.#unansweredBytes;
  }

  /** Of the request that is made next. */
  get nextCorrelation(): number {
    return this.#pending.next;
  }

  /** Sends a sealed request at the end of this turn, and again until it is answered. */
  request(request: ClientRequest): void {
    this.#pending.add(request);
    if (this.#state === 'closed') {
      this.#fail(request, closedError());
      return;
    }
    if (this.#state !== 'connected') return;
    request.sent = true;
    this.post(request.frame);
  }

  /** Sends a frame that is not answered, and not sent again. */
  post(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#state !== 'connected') return;
    this.#outgoing.push(frame);
    this.scheduleFlush();
  }

  /** Sees to it that `onFlush` is called, and frames leave, once the callbacks at hand have run. */
  scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#events.onFlush();
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state !== 'connected') return;
    const frames = this.#outgoing;
    this.#outgoing = [];
    let small: Uint8Array<ArrayBuffer>[] = [];
    let smallBytes = 0;
    const sendSmall = (): void => {
      if (small.length > 0) this.#write(joined(small, smallBytes));
      small = [];
      smallBytes = 0;
    };
    for (const frame of frames) {
      if (frame.length > GATHERED_BYTES_MAX) {
        sendSmall();
        this.#write(frame);
      } else {
        if (smallBytes + frame.length > SOCKET_MESSAGE_BYTES_MAX) sendSmall();
        small.push(frame);
        smallBytes += frame.length;
      }
    }
    sendSmall();
  }

  #fail(request: ClientRequest, error: BrokerError): void {
    // Whoever is told of one that fails may have closed the connection, and so ended the others.
    if (!this.#pending.delete(request)) return;
    request.onFailure(error);
    this.free(request.admittedBytes);
  }

  // What comes in.

  #onMessage(bytes: Uint8Array): void {
    this.#silentMs = 0;
    const reader = this.#reader;
    try {
      reader.open(bytes);
      while (!reader.atEnd) this.#onFrame(reader);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#socket?.close(error.closeCode, error.message);
    }
  }

  #onFrame(reader: FrameReader): void {
    reader.array();
    const kind = reader.uint();
    const id = reader.uint();
    switch (kind) {
      case FRAME.PUSH:
        this.#events.onPush(id, reader.uint(), reader);
        return;
      case FRAME.ENDED: {
        const code = errorCodeOf(reader.uint());
        const detail = reader.string(DETAIL_CHARS_MAX);
        this.#events.onSubscriptionEnded(id, new BrokerError(code, detail));
        return;
      }
      case FRAME.QUEUE_NAME:
        this.#events.onQueueName(id, reader.string(QUEUE_NAME_CHARS_MAX));
        return;
      case FRAME.WELCOME:
        reader.uint();
        reader.value();
        this.#onWelcome();
        return;
      default:
        this.#onAnswer(kind, id, reader);
    }
  }

  #onAnswer(kind: number, correlation: number, reader: FrameReader): void {
    const request = this.#pending.get(correlation);
    // Every request is kept until it is answered, also when nobody waits for it any longer.
    if (request === undefined) throw malformed(`An answer has an unknown correlation.`);
    if (kind === FRAME.FAILED) {
      const code = errorCodeOf(reader.uint());
      const error = new BrokerError(code, reader.string(DETAIL_CHARS_MAX));
      if (code === 'CAPSTAN_PARTITION_RESTARTING' && this.#retryLater(request)) return;
      this.#pending.delete(request);
      request.onFailure(error);
    } else {
      request.onAnswer(kind, reader);
      // Not before: one whose answer cannot be read is to fail with the connection.
      this.#pending.delete(request);
    }
    request.onAnswered();
    this.free(request.admittedBytes);
  }

  /** Sends a request again after a pause, like one whose answer was lost with a connection.
   *  False: it is not to be sent twice, or nobody waits for it any longer. */
  #retryLater(request: ClientRequest): boolean {
    if (request.once || request.expire(performance.now())) return false;
    const epoch = this.#epoch;
    setTimeout(() => {
      // A new connection has sent it already.
      const current = epoch === this.#epoch && this.#pending.get(request.correlation) === request;
      if (current) this.post(request.frame);
    }, RETRY_MS);
    return true;
  }

  // Time.

  #sweep(): void {
    const now = performance.now();
    for (const request of this.#pending.inOrder()) {
      // Without a connection there will be no answer: it need not be kept.
      if (request.expire(now) && this.#state !== 'connected') this.#fail(request, timedOut());
    }
    this.#silentMs += SWEEP_INTERVAL_MS;
    this.#quietMs += SWEEP_INTERVAL_MS;
    const { pingIntervalMs } = this.#options;
    if (this.#silentMs > 2 * pingIntervalMs) this.#onSilence();
    else if (this.#state !== 'connected') return;
    else if (Math.max(this.#silentMs, this.#quietMs) > pingIntervalMs) this.#ping();
  }

  #onSilence(): void {
    this.#silentMs = 0;
    if (this.#socket === undefined) return;
    const socket = this.#socket;
    this.#onClose(0, 'The server has not answered.');
    socket.terminate();
  }

  #pinging = false;

  #ping(): void {
    if (this.#pinging) return;
    this.#pinging = true;
    const request = new Ping(() => {
      this.#pinging = false;
    });
    request.correlation = this.nextCorrelation;
    const writer = new FrameWriter(16);
    writer.array(2);
    writer.uint(FRAME.PING);
    writer.uint(request.correlation);
    request.frame = writer.written;
    this.request(request);
  }

  // The end.

  /** Ends everything but the socket, for good. */
  #end(error: BrokerError): void {
    clearInterval(this.#sweepTimer);
    clearTimeout(this.#reconnectTimer);
    this.#enter('closed', error);
    for (const request of this.#pending.inOrder()) this.#fail(request, error);
    for (const { admit } of this.#admissions.splice(0)) admit();
    this.#first?.reject(error);
    this.#first = undefined;
  }

  #shutDown(error: BrokerError): void {
    this.#epoch++;
    this.#end(error);
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  /** Ends everything; requests that are not answered fail. Resolves when the socket is closed. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return this.#closed?.promise;
    let resolve!: () => void;
    const promise = new Promise<void>((onClosed) => {
      resolve = onClosed;
    });
    this.#closed = { resolve, promise };
    const socket = this.#socket;
    this.#end(closedError());
    if (socket === undefined) {
      this.#epoch++;
      resolve();
    } else {
      const cut = setTimeout(() => socket.terminate(), CLOSE_PATIENCE_MS);
      socket.close(CLOSE.NORMAL, 'The client closes.');
      void promise.then(() => clearTimeout(cut));
    }
    return promise;
  }
}

function closedError(): BrokerError {
  return new BrokerError('CAPSTAN_CONNECTION_LOST', 'The connection is closed.');
}

/** A server that does not answer a close has no longer than this. */
const CLOSE_PATIENCE_MS = 2_000;

class Ping extends ClientRequest {
  readonly #onDone: () => void;

  constructor(onDone: () => void) {
    super();
    this.#onDone = onDone;
  }

  onAnswer(): void {
    this.#onDone();
  }

  onFailure(): void {
    this.#onDone();
  }

  expire(): boolean {
    return false;
  }
}

function joined(
  frames: readonly Uint8Array<ArrayBuffer>[],
  bytes: number,
): Uint8Array<ArrayBuffer> {
  if (frames.length === 1) return frames[0]!;
  const message = new Uint8Array(bytes);
  let at = 0;
  for (const frame of frames) {
    message.set(frame, at);
    at += frame.length;
  }
  return message;
}
