/* The sending half of a router: checks a batch, gives ids, places each message, and encodes it
 * once, straight into the request ring. */

import type { Clock } from '../base/clock.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  DEDUPLICATION_ID_BYTES_MAX,
  ENTRY_OVERHEAD_BYTES_MAX,
  GROUP_ID_BYTES_MAX,
  RETENTION_MS_MAX,
} from '../base/limits.ts';
import type { Settle } from '../base/settle.ts';
import * as codec from '../command/command-codec.ts';
import { attributeBytes } from '../command/message-attributes.ts';
import { encodeEntry, entryBytesBound, type OutgoingMessage } from '../command/message-entry.ts';
import { contentDeduplicationId, partitionOfGroup } from '../command/placement.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import type { MessageIds } from './message-ids.ts';
import type { PartitionHandle } from './partition-handle.ts';
import { SendRequest, type SendSink } from './requests.ts';
import type { SendOutcome } from './service.ts';

/** A burst that stays on one partition: long enough for dense commits, short enough to spread. */
const BURST_BYTES = 256 * 1024;

export class Sender {
  readonly #handles: readonly PartitionHandle[];
  readonly #ids: MessageIds;
  readonly #clock: Clock;
  readonly #flushSoon: () => void;
  /** Where messages without a key go at present. */
  #current = 0;
  #burstBytes = 0;

  constructor(
    handles: readonly PartitionHandle[],
    ids: MessageIds,
    clock: Clock,
    flushSoon: () => void,
  ) {
    this.#handles = handles;
    this.#ids = ids;
    this.#clock = clock;
    this.#flushSoon = flushSoon;
  }

  /** What was begun so far leaves together; the next burst goes elsewhere. */
  endBurst(): void {
    if (this.#burstBytes === 0) return;
    this.#burstBytes = 0;
    this.#current = (this.#current + 1) % this.#handles.length;
  }

  /** Throws before anything was begun; then `result` is not told. */
  send(
    queue: QueueDefinition,
    messages: readonly OutgoingMessage[],
    result: Settle<SendOutcome[]>,
  ): void {
    const count = messages.length;
    if (count === 0) {
      result.resolve([]);
      return;
    }
    if (count > BATCH_ENTRIES_MAX) {
      throw new BrokerError(
        'CAPSTAN_BATCH_TOO_LARGE',
        `A batch holds at most ${BATCH_ENTRIES_MAX} messages; this one has ${count}.`,
      );
    }
    let bytes = 0;
    let keyed = queue.attributes.fifo;
    for (let i = 0; i < count; i++) {
      const message = messages[i]!;
      const bound = entryBytesBound(message);
      bytes += bound;
      keyed ||= message.groupId !== undefined;
      if (bound > queue.attributes.messageBytesMax) this.#checkSize(queue, message, bound);
      checkMessage(message);
    }
    if (bytes > BATCH_BYTES_MAX + count * ENTRY_OVERHEAD_BYTES_MAX) {
      throw new BrokerError(
        'CAPSTAN_BATCH_TOO_LARGE',
        `A batch holds at most ${BATCH_BYTES_MAX} bytes; this one has ${bytes}.`,
      );
    }
    const batch = new Batch(count, result);
    try {
      if (!keyed) {
        this.#write(this.place(bytes), queue, messages, undefined, bytes, batch);
      } else {
        this.#sendKeyed(queue, messages, bytes, batch);
      }
    } catch (error) {
      // After a defect part of it may be on its way all the same; nobody is told of that.
      batch.fail(error);
    }
    this.#flushSoon();
  }

  #checkSize(queue: QueueDefinition, message: OutgoingMessage, bound: number): void {
    const { body, attributes } = message;
    const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const size = bodyBytes + (attributes === undefined ? 0 : attributeBytes(attributes));
    if (size <= queue.attributes.messageBytesMax) return;
    throw new BrokerError(
      'CAPSTAN_MESSAGE_TOO_LARGE',
      `A message of ${Math.min(size, bound)} bytes is over the ` +
        `${queue.attributes.messageBytesMax} bytes that "${queue.name}" takes.`,
    );
  }

  /** Where `bytes` without a key go: to the partition of this burst, or the next one that runs. */
  place(bytes: number): PartitionHandle {
    if (this.#burstBytes > BURST_BYTES) this.endBurst();
    this.#burstBytes += bytes;
    return this.#pick();
  }

  #pick(): PartitionHandle {
    for (let tried = 0; tried < this.#handles.length; tried++) {
      const handle = this.#handles[this.#current]!;
      if (handle.running) return handle;
      this.#current = (this.#current + 1) % this.#handles.length;
    }
    throw this.#handles[this.#current]!.unavailable();
  }

  #sendKeyed(
    queue: QueueDefinition,
    messages: readonly OutgoingMessage[],
    bytes: number,
    batch: Batch,
  ): void {
    const { fifo, contentBasedDeduplication } = queue.attributes;
    const parts = new Map<PartitionHandle, { messages: OutgoingMessage[]; places: number[] }>();
    for (const [place, message] of messages.entries()) {
      const { groupId } = message;
      if (fifo && groupId === undefined) {
        throw new BrokerError(
          'CAPSTAN_INVALID_ARGUMENT',
          `"${queue.name}" is a FIFO queue: every message needs a groupId.`,
        );
      }
      const handle =
        groupId === undefined
          ? this.#pick()
          : this.#handles[partitionOfGroup(queue, groupId, this.#handles.length)]!;
      const part = parts.get(handle) ?? { messages: [], places: [] };
      parts.set(handle, part);
      part.places.push(place);
      part.messages.push(
        fifo && contentBasedDeduplication && message.deduplicationId === undefined
          ? { ...message, deduplicationId: contentDeduplicationId(message.body) }
          : message,
      );
    }
    const room = bytes + (fifo ? messages.length * DEDUPLICATION_ID_BYTES_MAX : 0);
    batch.expect(parts.size);
    for (const [handle, part] of parts) {
      const places = parts.size === 1 ? undefined : part.places;
      try {
        this.#write(handle, queue, part.messages, places, room, batch);
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        batch.onPart(error, part.places);
      }
    }
  }

  #write(
    handle: PartitionHandle,
    queue: QueueDefinition,
    messages: readonly OutgoingMessage[],
    places: readonly number[] | undefined,
    bytesBound: number,
    batch: Batch,
  ): void {
    const now = this.#clock();
    const ids = this.#ids;
    const count = messages.length;
    ids.reserve(now, count);
    const request = new SendRequest(batch, ids.bytes, count, places, queue.name);
    const correlation = handle.begin(codec.REQUEST_HEADER_BYTES + bytesBound, request);
    const { buffer, view, at } = handle;
    codec.writeRequestHeader(view, at, codec.OP_SEND, count, correlation, queue.queueId, 0);
    let end = at + codec.REQUEST_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      end = encodeEntry(messages[i]!, ids.bytes, buffer, view, end);
      ids.advance();
    }
    handle.finish(end - at);
  }
}

function checkMessage({ body, groupId, deduplicationId, delayMs }: OutgoingMessage): void {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    const detail = 'A body is a string or a Uint8Array; make one of these of what you have.';
    throw new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
  }
  if (groupId !== undefined) checkId('groupId', groupId, GROUP_ID_BYTES_MAX);
  if (deduplicationId !== undefined) {
    checkId('deduplicationId', deduplicationId, DEDUPLICATION_ID_BYTES_MAX);
  }
  if (delayMs === undefined) return;
  if (Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= RETENTION_MS_MAX) return;
  throw new BrokerError(
    'CAPSTAN_INVALID_ARGUMENT',
    `delayMs is ${delayMs}; it must be a whole number from 0 to ${RETENTION_MS_MAX}.`,
  );
}

function checkId(what: string, id: string, bytesMax: number): void {
  const bytes = Buffer.byteLength(id);
  if (bytes >= 1 && bytes <= bytesMax) return;
  throw new BrokerError(
    'CAPSTAN_INVALID_ARGUMENT',
    `${what} has ${bytes} bytes; it must have 1 to ${bytesMax}.`,
  );
}

/** One call of send, over however many partitions its messages go to. Parts that fail fail their
 *  entries only, each with the code of its own part, unless all of them fail for one reason. */
class Batch implements SendSink {
  readonly outcomes: SendOutcome[];
  readonly #result: Settle<SendOutcome[]>;
  #parts = 1;
  #failure: BrokerError | undefined;
  /** Not all parts came to the same end. */
  #mixed = false;
  #ended = 0;
  #told = false;

  constructor(count: number, result: Settle<SendOutcome[]>) {
    this.outcomes = new Array<SendOutcome>(count);
    this.#result = result;
  }

  expect(parts: number): void {
    this.#parts = parts;
  }

  /** Ends it as a whole, whatever its parts come to. */
  fail(error: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#result.reject(error);
  }

  onPart(error: BrokerError | undefined, places: readonly number[] | undefined): void {
    if (this.#told) return;
    this.#mixed ||= this.#ended > 0 && error?.code !== this.#failure?.code;
    this.#failure = error;
    if (error !== undefined) this.#fail(error.code, places);
    if (++this.#ended < this.#parts) return;
    this.#told = true;
    if (error !== undefined && !this.#mixed) this.#result.reject(error);
    else this.#result.resolve(this.outcomes);
  }

  #fail(code: ErrorCode, places: readonly number[] | undefined): void {
    const count = places?.length ?? this.outcomes.length;
    for (let i = 0; i < count; i++) {
      const place = places === undefined ? i : places[i]!;
      this.outcomes[place] = { error: code, messageId: '', sequenceNumber: 0 };
    }
  }
}
