/* A message of a remote broker, as a view of the WebSocket message that it came in, which it keeps
 * alive. Nothing is decoded before it is asked for. */

import * as entry from '../command/message-entry.ts';
import { messageIdText } from '../command/message-id.ts';
import * as delivery from '../wire/delivery.ts';
import type { FrameReader } from '../wire/frame-reader.ts';
import { Message, type MessageQueue } from './message.ts';

/** A message that was only looked at. */
const NO_RECEIPT = 0;

const decoder = new TextDecoder();

/** Node's own, where the bytes are a Buffer: several times as fast on short texts. */
interface NodeBytes {
  utf8Slice?: (start: number, end: number) => string;
}

function textOf(bytes: Uint8Array, from: number, end: number): string {
  const node = bytes as NodeBytes;
  if (node.utf8Slice !== undefined) return node.utf8Slice(from, end);
  return decoder.decode(bytes.subarray(from, end));
}

/** What the messages of one frame have in common. */
interface DeliveryFrame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly arrivedAtMs: number;
  /** Of queues that messages were dead-lettered from. */
  readonly queueNames: ReadonlyMap<number, string>;
}

export class RemoteMessage extends Message {
  readonly frame: DeliveryFrame;
  /** Where the delivery begins. */
  readonly at: number;

  constructor(queue: MessageQueue, frame: DeliveryFrame, at: number) {
    super(queue);
    this.frame = frame;
    this.at = at;
  }

  get arrivedAtMs(): number {
    return this.frame.arrivedAtMs;
  }

  get #entryAt(): number {
    return this.at + delivery.DELIVERY_HEADER_BYTES;
  }

  get #end(): number {
    return this.#entryAt + this.frame.view.getUint32(this.#entryAt + entry.ENTRY_BYTES_AT, true);
  }

  get messageId(): string {
    return messageIdText(this.frame.bytes, this.#entryAt + entry.MESSAGE_ID_AT);
  }

  get receiptHandle(): string {
    const { bytes } = this.frame;
    return bytes[this.at] === NO_RECEIPT ? '' : delivery.receiptText(bytes, this.at);
  }

  get body(): Uint8Array {
    const { bytes, view } = this.frame;
    return bytes.subarray(entry.bodyOffset(view, this.#entryAt), this.#end);
  }

  text(): string {
    const { bytes, view } = this.frame;
    return textOf(bytes, entry.bodyOffset(view, this.#entryAt), this.#end);
  }

  get receiveCount(): number {
    return this.frame.view.getUint32(this.at + delivery.DELIVERY_COUNT_AT, true);
  }

  get sentAtMs(): number {
    return this.frame.view.getFloat64(this.at + delivery.DELIVERY_SENT_AT, true);
  }

  get firstReceivedAtMs(): number {
    return this.frame.view.getFloat64(this.at + delivery.DELIVERY_FIRST_RECEIVED_AT, true);
  }

  get sequenceNumber(): number {
    return this.frame.view.getFloat64(this.at + delivery.DELIVERY_SEQUENCE_AT, true);
  }

  get groupId(): string | undefined {
    return this.#part(entry.groupIdOffset, entry.GROUP_BYTES_AT);
  }

  get deduplicationId(): string | undefined {
    return this.#part(entry.deduplicationIdOffset, entry.DEDUPLICATION_BYTES_AT);
  }

  get traceHeader(): string | undefined {
    return this.#part(entry.traceHeaderOffset, entry.TRACE_BYTES_AT);
  }

  #part(offset: (bytes: Uint8Array, at: number) => number, lengthAt: number): string | undefined {
    const { bytes } = this.frame;
    const length = bytes[this.#entryAt + lengthAt]!;
    if (length === 0) return undefined;
    const from = offset(bytes, this.#entryAt);
    return textOf(bytes, from, from + length);
  }

  get deadLetterSource(): string | undefined {
    const source = this.frame.view.getUint32(this.at + delivery.DELIVERY_SOURCE_AT, true);
    return this.frame.queueNames.get(source);
  }

  get attributeBlock(): Uint8Array | undefined {
    const { bytes, view } = this.frame;
    if ((bytes[this.#entryAt + entry.FLAGS_AT]! & entry.FLAG_ATTRIBUTES) === 0) return undefined;
    const from = entry.attributesOffset(bytes, this.#entryAt);
    return bytes.subarray(from + 4, from + 4 + view.getUint32(from, true));
  }
}

/** The messages of a MESSAGES or PUSH frame whose count was read. */
export function readMessages(
  queue: MessageQueue,
  count: number,
  reader: FrameReader,
  queueNames: ReadonlyMap<number, string>,
): RemoteMessage[] {
  reader.bytesField();
  const { bytes, view, fieldAt, fieldLength } = reader;
  const end = fieldAt + fieldLength;
  const arrivedAtMs = performance.now();
  const frame: DeliveryFrame = { bytes, view, arrivedAtMs, queueNames };
  const messages: RemoteMessage[] = [];
  let at = fieldAt;
  for (let i = 0; i < count; i++) {
    messages.push(new RemoteMessage(queue, frame, at));
    at = delivery.deliveryEnd(view, at, end);
  }
  return messages;
}
