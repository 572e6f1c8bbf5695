/* One connection of the native protocol: reads frames, hands them to their handlers, and writes
 * what comes back. It knows no sockets; what carries its bytes is a `SocketPeer`. Lives on one door
 * thread.
 *
 * Invariants: every request is answered once; a client that breaks the protocol loses its
 * connection and nothing else happens; what waits for a client is bounded, see room.ts. */

import { copyBytes } from '../../base/bytes.ts';
import type { BrokerError } from '../../base/errors.ts';
import { ERRORS } from '../../base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import { Slots } from '../../base/slots.ts';
import type { NativeService } from '../../broker/native-service.ts';
import { forEachSource, TIMED_RECEIPT_BYTES } from '../../wire/delivery.ts';
import {
  CLOSE,
  DETAIL_CHARS_MAX,
  FRAME,
  FRAME_FIELDS,
  malformed,
  PENDING_REQUESTS_MAX,
  ProtocolViolation,
} from '../../wire/frame.ts';
import { FrameReader } from '../../wire/frame-reader.ts';
import type { FrameWriter } from '../../wire/frame-writer.ts';
import type { DoorCounters } from '../door-counters.ts';
import { EntryCheck } from './entry-check.ts';
import type { InHand } from './in-hand.ts';
import { Outbox, TurnEnd } from './outbox.ts';
import type { SendStatus, SocketPeer } from './peer.ts';
import { BUFFERED_BYTES_MAX, type Parked, Room } from './room.ts';

/** A connection that has not said hello by then is closed. */
export const HELLO_MS_MAX = 10_000;
/** WebSocket's own limit on a close frame, in bytes. */
const REASON_BYTES_MAX = 123;

/** What a session knows of a receive; see receive-request.ts. */
export interface OpenReceive {
  readonly correlation: number;
  cancel(): void;
}

/** What a session knows of a subscription; see subscription.ts. */
export interface OpenSubscription extends Parked {
  readonly id: number;
  readonly queueName: string;
  /** What it releases when the connection closes. */
  readonly inHand: InHand | undefined;
  grant(credit: number): void;
  /** Takes nothing more out of the queue; `onEnded` is called when nothing more will be pushed, and
   *  so are those that were given here before. */
  stop(onEnded: () => void): void;
}

/** Reads the rest of a frame, and does what it asks for. */
export type Handler = (session: Session, reader: FrameReader) => void;

/** What the sessions of one door thread share. */
export class SessionContext {
  readonly service: NativeService;
  /** By kind of frame. */
  readonly handlers: Readonly<Record<number, Handler | undefined>>;
  readonly token: string | undefined;
  readonly logger: Logger;
  readonly counters: DoorCounters | undefined;
  readonly turnEnd = new TurnEnd();
  readonly reader = new FrameReader();
  readonly entryCheck = new EntryCheck();

  constructor(options: {
    service: NativeService;
    handlers: Readonly<Record<number, Handler | undefined>>;
    token?: string | undefined;
    logger: Logger;
    counters?: DoorCounters | undefined;
  }) {
    this.service = options.service;
    this.handlers = options.handlers;
    this.token = options.token;
    this.logger = options.logger;
    this.counters = options.counters;
  }
}

export class Session {
  readonly context: SessionContext;
  readonly service: NativeService;
  readonly room: Room;
  /** Names of queues, by the handles that the client has bound to them. */
  readonly queueNames: (string | undefined)[] = [];
  readonly subscriptions = new Map<number, OpenSubscription>();
  /** Receives that are not answered yet. */
  readonly receives = new Slots<OpenReceive>();
  /** The client knows the names of these queues. */
  readonly #announcedSources = new Set<number>();
  /** Subscriptions that release what they have in hand when the connection closes. */
  releasing = 0;
  greeted = false;
  readonly #peer: SocketPeer;
  readonly #outbox: Outbox;
  #pending = 0;
  #closed = false;
  #helloTimer: NodeJS.Timeout | undefined;

  constructor(peer: SocketPeer, context: SessionContext) {
    this.#peer = peer;
    this.context = context;
    this.service = context.service;
    this.#outbox = new Outbox(peer, context.turnEnd, (status) => this.#onSent(status));
    this.room = new Room(peer, () => this.#outbox.bytes);
    this.#helloTimer = setTimeout(() => {
      this.close(CLOSE.NO_HELLO, 'No HELLO came.');
    }, HELLO_MS_MAX);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Requests that are not answered yet. */
  get pendingCount(): number {
    return this.#pending;
  }

  /** Answers the receives that wait, and pushes nothing more: the server stops. */
  endWaits(): void {
    for (const receive of this.receives) receive.cancel();
    for (const subscription of this.subscriptions.values()) subscription.stop(() => undefined);
  }

  /** A WebSocket message came; `bytes` are lent for the length of the call. */
  onMessage(bytes: Uint8Array, isBinary: boolean): void {
    try {
      if (!isBinary) throw malformed('Frames come in binary messages.');
      if (bytes.length === 0) throw malformed('A message holds at least one frame.');
      const { reader } = this.context;
      reader.open(bytes);
      while (!reader.atEnd && !this.#closed) this.#onFrame(reader);
    } catch (error) {
      if (error instanceof ProtocolViolation) {
        this.close(error.closeCode, error.message);
      } else {
        this.context.logger.error({ error }, 'a frame could not be handled');
        this.close(CLOSE.INTERNAL, 'The server could not handle a frame; its log says why.');
      }
    }
  }

  #onFrame(reader: FrameReader): void {
    const fields = reader.array();
    const kind = reader.uint();
    const handler = this.context.handlers[kind];
    if (handler === undefined) {
      throw new ProtocolViolation(CLOSE.UNEXPECTED, `There is no request of kind ${kind}.`);
    }
    if (fields !== FRAME_FIELDS[kind]) {
      throw malformed(`A frame of kind ${kind} has ${FRAME_FIELDS[kind]} elements, not ${fields}.`);
    }
    if (this.greeted === (kind === FRAME.HELLO)) {
      throw new ProtocolViolation(CLOSE.UNEXPECTED, 'A connection begins with one HELLO.');
    }
    handler(this, reader);
  }

  /** The client has said who it is. */
  greet(): void {
    this.greeted = true;
    clearTimeout(this.#helloTimer);
  }

  /** Reads the correlation of a request that will be answered. */
  request(reader: FrameReader): number {
    const correlation = reader.uint();
    if (++this.#pending > PENDING_REQUESTS_MAX) {
      const reason = `More than ${PENDING_REQUESTS_MAX} requests are not answered yet.`;
      throw new ProtocolViolation(CLOSE.OVER_LIMIT, reason);
    }
    this.context.counters?.request();
    return correlation;
  }

  /** Begins the answer to a request: its kind and correlation, of `fields` elements. */
  answer(kind: number, fields: number, correlation: number): FrameWriter {
    this.#pending--;
    const { writer } = this.#outbox;
    writer.array(fields);
    writer.uint(kind);
    writer.uint(correlation);
    return writer;
  }

  fail(correlation: number, { code, detail }: BrokerError): void {
    this.context.counters?.error();
    const writer = this.answer(FRAME.FAILED, 4, correlation);
    writer.uint(ERRORS[code].number);
    writer.string(detail.slice(0, DETAIL_CHARS_MAX));
  }

  /** Writes deliveries: an answer to the request `id`, or a push to the subscription `id`. */
  writeMessages(
    kind: typeof FRAME.MESSAGES | typeof FRAME.PUSH,
    id: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    count: number,
  ): void {
    if (this.#closed) return;
    if (count > 0) this.room.note(length, count);
    this.context.counters?.received(count);
    this.#announceSources(bytes, at, count);
    if (kind === FRAME.MESSAGES) this.#pending--;
    const { writer } = this.#outbox;
    writer.array(4);
    writer.uint(kind);
    writer.uint(id);
    writer.uint(count);
    writer.bytesHead(length);
    copyBytes(bytes, at, at + length, writer.buffer, writer.length);
    writer.length += length;
  }

  /** The client is told the name of a queue that messages were dead-lettered from once, before the
   *  first of them. */
  #announceSources(bytes: Uint8Array, at: number, count: number): void {
    forEachSource(bytes, at, count, (source) => {
      if (this.#announcedSources.has(source)) return;
      const name = this.service.queueName(source);
      if (name === undefined) return; // The queue is gone; so is its name.
      this.#announcedSources.add(source);
      const { writer } = this.#outbox;
      writer.array(3);
      writer.uint(FRAME.QUEUE_NAME);
      writer.uint(source);
      writer.string(name);
    });
  }

  endSubscription(subscription: OpenSubscription, { code, detail }: BrokerError): void {
    this.dropSubscription(subscription);
    const { writer } = this.#outbox;
    writer.array(4);
    writer.uint(FRAME.ENDED);
    writer.uint(subscription.id);
    writer.uint(ERRORS[code].number);
    writer.string(detail.slice(0, DETAIL_CHARS_MAX));
  }

  /** Nothing will be pushed to it any longer. Idempotent. */
  dropSubscription(subscription: OpenSubscription): void {
    if (this.subscriptions.get(subscription.id) !== subscription) return;
    this.room.forget(subscription);
    this.subscriptions.delete(subscription.id);
    if (subscription.inHand !== undefined) this.releasing--;
  }

  #onSent(status: SendStatus): void {
    if (this.#closed) return;
    if (status === 'dropped' || this.#peer.bufferedBytes > BUFFERED_BYTES_MAX) {
      this.close(CLOSE.SLOW_CONSUMER, 'The client does not read what it has asked for.');
    } else if (status === 'sent') {
      this.room.resume();
    }
  }

  /** What was buffered has left, in part or in full. */
  onDrain(): void {
    if (!this.#closed) this.room.resume();
  }

  /** Ends the connection from this side. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    if (code !== CLOSE.GOING_AWAY) {
      this.context.counters?.error();
      this.context.logger.warn({ code, reason }, 'a connection is closed');
    }
    this.#outbox.flush();
    // What was flushed may have shown that the client does not read, and closed it.
    if (this.closed) return;
    // Reasons are ASCII, but for what a client itself has sent.
    const cut = Buffer.from(reason, 'latin1').subarray(0, REASON_BYTES_MAX);
    this.#peer.close(code, cut.toString('ascii'));
    this.onClose();
  }

  /** The connection has ended, from either side. Idempotent. */
  onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#helloTimer);
    this.#outbox.close();
    for (const receive of this.receives) receive.cancel();
    for (const subscription of this.subscriptions.values()) {
      // What is on its way to it comes in first, and is released with the rest.
      subscription.stop(() => this.#release(subscription));
    }
    this.subscriptions.clear();
  }

  #release({ inHand, queueName }: OpenSubscription): void {
    const queue = this.service.findQueue(queueName);
    if (inHand === undefined || queue === undefined) return;
    while (inHand.size > 0) {
      const buffer = inHand.take(BATCH_ENTRIES_MAX);
      const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
      const count = buffer.length / TIMED_RECEIPT_BYTES;
      this.service.changeVisibilityEncoded(
        queue,
        { buffer, view, at: 0, count },
        {
          onResults: () => undefined,
          // They come back at their deadlines.
          onFailure: (error) =>
            this.context.logger.warn({ error: error.code, count }, 'messages were not released'),
        },
      );
    }
  }
}
