/* What the native protocol needs of a broker beyond the calls of every door: messages as bytes.
 * They enter as entries (command/message-entry.ts) and leave as deliveries (wire/delivery.ts);
 * receipts are binary both ways. Nothing becomes an object per message.
 *
 * Bytes that are handed over, in either direction, are lent for the length of the call. Every
 * call ends with exactly one call of its sink, at once or later, on the same thread. */

import type { BrokerError } from '../base/errors.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import type { PendingReceive, QueueService } from './service.ts';

/** A run of `count` entries. */
export interface EntryBlock {
  readonly buffer: Buffer;
  readonly view: DataView;
  readonly at: number;
  readonly length: number;
  readonly count: number;
  /** An entry has a group id. */
  readonly keyed: boolean;
}

export interface EntrySink {
  /** All were accepted. The ids differ from the first one in their last four bytes only, a big
   *  endian counter that goes up by one, like the sequence. */
  onSent(firstId: Uint8Array, firstSequence: number): void;
  /** SENT_RESULT_BYTES per entry. */
  onSentEach(results: Uint8Array): void;
  /** Nothing was accepted, or nobody knows. */
  onFailure(error: BrokerError): void;
}

export interface EncodedReceive {
  readonly max: number;
  /** Fewer are delivered than `max` where these would not hold them, but one at least. */
  readonly bytesMax: number;
  readonly waitMs: number | undefined;
  readonly visibilityTimeoutMs: number | undefined;
  readonly attemptId: string | undefined;
}

export interface MessageSink {
  /** Asked right before messages are taken out of the queue. False: not now; the receive ends with
   *  `onParked`, perhaps before `receiveEncoded` has returned, and nothing was taken. */
  admit(): boolean;
  /** What was admitted found no messages; the receive goes on waiting. */
  withdraw(): void;
  onParked(): void;
  /** `count` deliveries, perhaps none. */
  onMessages(bytes: Uint8Array, at: number, length: number, count: number): void;
  onFailure(error: BrokerError): void;
}

export interface ResultSink {
  /** Per receipt an error's number, 0 where it succeeded; undefined: all succeeded. */
  onResults(errors: Uint8Array | undefined): void;
  onFailure(error: BrokerError): void;
}

/** A run of `count` receipts, each followed by a timeout where the call takes one. */
export interface ReceiptBlock {
  readonly buffer: Buffer;
  readonly view: DataView;
  readonly at: number;
  readonly count: number;
}

export interface NativeService extends QueueService {
  /** The entries have been checked. */
  sendEncoded(queue: QueueDefinition, block: EntryBlock, sink: EntrySink): void;
  receiveEncoded(
    queue: QueueDefinition,
    options: EncodedReceive,
    sink: MessageSink,
  ): PendingReceive;
  deleteEncoded(queue: QueueDefinition, block: ReceiptBlock, sink: ResultSink): void;
  changeVisibilityEncoded(queue: QueueDefinition, block: ReceiptBlock, sink: ResultSink): void;
  /** Of the `source` in a delivery; undefined: that queue is gone. */
  queueName(queueId: number): string | undefined;
}
