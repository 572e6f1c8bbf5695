/* A received message, as a view of the reply it came in: nothing is decoded before it is asked for.
 * A reply's bytes are copied out of the ring once, for all of its messages together; a message
 * keeps that copy alive. */

import { copyBytes, utf8Text } from '../base/bytes.ts';
import * as codec from '../command/command-codec.ts';
import * as entry from '../command/message-entry.ts';
import { messageIdText } from '../command/message-id.ts';
import type { ReceiptCodec } from './receipt-handle.ts';
import type { DeliveredMessage } from './service.ts';

/** What the messages of one reply have in common. */
export interface ReplyFrame {
  readonly buffer: Buffer;
  readonly view: DataView;
  readonly partition: number;
  readonly queueId: number;
  readonly receipts: ReceiptCodec;
  readonly nameOf: (queueId: number) => string | undefined;
}

export class Delivered implements DeliveredMessage {
  readonly frame: ReplyFrame;
  /** Where the delivery header is. */
  readonly at: number;

  constructor(frame: ReplyFrame, at: number) {
    this.frame = frame;
    this.at = at;
  }

  get #entryAt(): number {
    return this.at + codec.DELIVERY_HEADER_BYTES;
  }

  get slot(): number {
    return this.frame.view.getUint32(this.at + codec.SEALED_SLOT_AT);
  }

  get delivery(): number {
    return this.frame.view.getUint32(this.at + codec.SEALED_DELIVERY_AT);
  }

  get messageId(): string {
    return messageIdText(this.frame.buffer, this.#entryAt + entry.MESSAGE_ID_AT);
  }

  get idBytes(): Uint8Array {
    const from = this.#entryAt + entry.MESSAGE_ID_AT;
    return this.frame.buffer.subarray(from, from + entry.MESSAGE_ID_BYTES);
  }

  get receiptHandle(): string {
    const { frame } = this;
    const sequenceLow = this.sequenceNumber >>> 0;
    return frame.receipts.encode(
      frame.queueId,
      frame.partition,
      this.slot,
      sequenceLow,
      this.delivery,
    );
  }

  get body(): Uint8Array {
    const { buffer, view } = this.frame;
    const end = this.#entryAt + view.getUint32(this.#entryAt + entry.ENTRY_BYTES_AT, true);
    return buffer.subarray(entry.bodyOffset(view, this.#entryAt), end);
  }

  text(): string {
    const { buffer, view } = this.frame;
    const end = this.#entryAt + view.getUint32(this.#entryAt + entry.ENTRY_BYTES_AT, true);
    return utf8Text(buffer, entry.bodyOffset(view, this.#entryAt), end);
  }

  get receiveCount(): number {
    return this.frame.view.getUint32(this.at + codec.DELIVERY_COUNT_AT, true);
  }

  get sentAtMs(): number {
    return this.frame.view.getFloat64(this.at + codec.DELIVERY_SENT_AT, true);
  }

  get firstReceivedAtMs(): number {
    return this.frame.view.getFloat64(this.at + codec.DELIVERY_FIRST_RECEIVED_AT, true);
  }

  get sequenceNumber(): number {
    return this.frame.view.getFloat64(this.at + codec.DELIVERY_SEQUENCE_AT, true);
  }

  get groupId(): string | undefined {
    const from = entry.groupIdOffset(this.frame.buffer, this.#entryAt);
    return this.#text(from, entry.GROUP_BYTES_AT);
  }

  get deduplicationId(): string | undefined {
    const from = entry.deduplicationIdOffset(this.frame.buffer, this.#entryAt);
    return this.#text(from, entry.DEDUPLICATION_BYTES_AT);
  }

  get traceHeader(): string | undefined {
    const from = entry.traceHeaderOffset(this.frame.buffer, this.#entryAt);
    return this.#text(from, entry.TRACE_BYTES_AT);
  }

  get attributeBlock(): Uint8Array | undefined {
    const { buffer, view } = this.frame;
    if ((buffer[this.#entryAt + entry.FLAGS_AT]! & entry.FLAG_ATTRIBUTES) === 0) return undefined;
    const from = entry.attributesOffset(buffer, this.#entryAt);
    return buffer.subarray(from + 4, from + 4 + view.getUint32(from, true));
  }

  get md5(): Uint8Array | undefined {
    const { buffer } = this.frame;
    if ((buffer[this.#entryAt + entry.FLAGS_AT]! & entry.FLAG_MD5) === 0) return undefined;
    const from = this.#entryAt + entry.ENTRY_HEADER_BYTES;
    return buffer.subarray(from, from + entry.MD5_BYTES);
  }

  get deadLetterSource(): string | undefined {
    const source = this.frame.view.getUint32(this.at + codec.DELIVERY_SOURCE_AT, true);
    return source === 0 ? undefined : this.frame.nameOf(source);
  }

  #text(from: number, lengthAt: number): string | undefined {
    const { buffer } = this.frame;
    const length = buffer[this.#entryAt + lengthAt]!;
    return length === 0 ? undefined : utf8Text(buffer, from, from + length);
  }
}

/** The messages of the reply that is `length` bytes at `at` of a ring: copied, not decoded. */
export function takeMessages(
  ring: Buffer,
  at: number,
  length: number,
  count: number,
  partition: number,
  queueId: number,
  receipts: ReceiptCodec,
  nameOf: (queueId: number) => string | undefined,
): Delivered[] {
  const bytes = length - codec.REPLY_HEADER_BYTES;
  const buffer = Buffer.allocUnsafeSlow(bytes);
  copyBytes(ring, at + codec.REPLY_HEADER_BYTES, at + length, buffer, 0);
  const view = new DataView(buffer.buffer);
  const frame: ReplyFrame = { buffer, view, partition, queueId, receipts, nameOf };
  const messages: Delivered[] = [];
  let messageAt = 0;
  for (let i = 0; i < count; i++) {
    messages.push(new Delivered(frame, messageAt));
    const entryAt = messageAt + codec.DELIVERY_HEADER_BYTES;
    messageAt = entryAt + view.getUint32(entryAt + entry.ENTRY_BYTES_AT, true);
  }
  return messages;
}
