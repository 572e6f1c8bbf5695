/* Sends and settlements that are made in one turn, one frame per queue and kind: the calls of a
 * program that sends or deletes one message at a time cost little more than one batch. */

import { type BrokerError, errorCodeOf, NO_ERROR } from '../base/errors.ts';
import { MESSAGE_ID_BYTES } from '../command/message-entry.ts';
import { AcceptedMessage, messageIdText } from '../command/message-id.ts';
import * as delivery from '../wire/delivery.ts';
import { FRAME, malformed } from '../wire/frame.ts';
import type { FrameReader } from '../wire/frame-reader.ts';
import { FrameWriter } from '../wire/frame-writer.ts';
import type { FramePool } from './frame-pool.ts';
import type { ReceiptSource } from './message.ts';
import { RemoteMessage } from './remote-message.ts';
import { type Call, ClientRequest, expireCalls } from './request.ts';
import type { ReceiptResults } from './transport.ts';
import type { SendResult } from './types.ts';

/** Before the entries there is room for the head of the frame, whose numbers come last. */
const HEAD_BYTES_MAX = 24;

/** A frame `[kind, correlation, handle, count, bin]` that grows until it is sealed. */
abstract class Gather<T> extends ClientRequest {
  readonly writer: FrameWriter;
  readonly calls: Call<T>[] = [];
  count = 0;
  readonly #kind: number;
  readonly #handle: number;
  readonly #pool: FramePool;

  constructor(kind: number, handle: number, pool: FramePool) {
    super();
    this.#kind = kind;
    this.#handle = handle;
    this.#pool = pool;
    this.writer = pool.take();
    this.writer.length = HEAD_BYTES_MAX;
  }

  /** Bytes of entries so far. */
  get bytes(): number {
    return this.writer.length - HEAD_BYTES_MAX;
  }

  /** Nothing is added from here on: `frame` is what to send. */
  seal(correlation: number): void {
    const { bytes } = this;
    const head = new FrameWriter(HEAD_BYTES_MAX + 8);
    head.array(5);
    head.uint(this.#kind);
    head.uint(correlation);
    head.uint(this.#handle);
    head.uint(this.count);
    head.bytesHead(0);
    head.view.setUint32(head.length - 4, bytes);
    const from = HEAD_BYTES_MAX - head.length;
    this.writer.buffer.set(head.written, from);
    this.correlation = correlation;
    this.frame = this.writer.buffer.subarray(from, this.writer.length);
  }

  override onAnswered(): void {
    this.#pool.give(this.writer);
  }

  onFailure(error: BrokerError): void {
    for (const call of this.calls) call.reject(error);
  }

  expire(now: number): boolean {
    return expireCalls(this.calls, now);
  }
}

export class SendGather extends Gather<SendResult[]> {
  constructor(handle: number, pool: FramePool) {
    super(FRAME.SEND, handle, pool);
  }

  onAnswer(kind: number, reader: FrameReader): void {
    if (kind === FRAME.SENT) this.#onSent(reader);
    else if (kind === FRAME.SENT_EACH) this.#onSentEach(reader);
    else throw malformed('A SEND has another answer.');
  }

  #onSent(reader: FrameReader): void {
    reader.bytesField();
    if (reader.fieldLength !== MESSAGE_ID_BYTES) throw malformed('An id has 16 bytes.');
    const { bytes, fieldAt } = reader;
    // A copy: on Node these bytes are a Buffer, whose `slice` is a view of what the socket lends.
    const firstId = new Uint8Array(bytes.subarray(fieldAt, fieldAt + MESSAGE_ID_BYTES));
    const firstSequence = reader.uint();
    for (const call of this.calls) {
      if (call.settled) continue;
      const results: SendResult[] = [];
      for (let i = call.from; i < call.from + call.count; i++) {
        results.push(new AcceptedMessage(firstId, i, firstSequence + i));
      }
      call.resolve(results);
    }
  }

  #onSentEach(reader: FrameReader): void {
    const count = reader.uint();
    reader.bytesField();
    const { bytes, view, fieldAt, fieldLength } = reader;
    if (count !== this.count || fieldLength !== count * delivery.SENT_RESULT_BYTES) {
      throw malformed('A SENT_EACH has another length.');
    }
    for (const call of this.calls) {
      const results: SendResult[] = [];
      for (let i = call.from; i < call.from + call.count; i++) {
        const at = fieldAt + i * delivery.SENT_RESULT_BYTES;
        const error = bytes[at]!;
        results.push(
          error === NO_ERROR
            ? {
                error: undefined,
                messageId: messageIdText(bytes, at + delivery.SENT_RESULT_ID_AT),
                sequenceNumber: view.getFloat64(at + delivery.SENT_RESULT_SEQUENCE_AT, true),
              }
            : { error: errorCodeOf(error), messageId: '', sequenceNumber: 0 },
        );
      }
      call.resolve(results);
    }
  }
}

/** Deletes, extensions or releases. */
export class ReceiptGather extends Gather<ReceiptResults> {
  onAnswer(kind: number, reader: FrameReader): void {
    if (kind === FRAME.DONE) {
      for (const call of this.calls) {
        call.resolve(new Array<undefined>(call.count).fill(undefined));
      }
      return;
    }
    if (kind !== FRAME.DONE_EACH) throw malformed('A batch of receipts has another answer.');
    const count = reader.uint();
    reader.bytesField();
    const { bytes, fieldAt, fieldLength } = reader;
    if (count !== this.count || fieldLength !== count) {
      throw malformed('A DONE_EACH has another length.');
    }
    for (const call of this.calls) {
      const from = fieldAt + call.from;
      const numbers = Array.from(bytes.subarray(from, from + call.count));
      call.resolve(numbers.map((each) => (each === NO_ERROR ? undefined : errorCodeOf(each))));
    }
  }
}

/** Appends the receipt of `source`; of a text that can be none, one that the server refuses. */
export function writeReceipt(source: ReceiptSource, writer: FrameWriter): void {
  writer.reserve(delivery.TIMED_RECEIPT_BYTES);
  const at = writer.length;
  if (source instanceof RemoteMessage) {
    const { view } = source.frame;
    // 27 bytes as numbers: a typed array's `set` costs more than that.
    for (let i = 0; i < 24; i += 4) writer.view.setUint32(at + i, view.getUint32(source.at + i));
    writer.view.setUint16(at + 24, view.getUint16(source.at + 24));
    writer.view.setUint8(at + 26, view.getUint8(source.at + 26));
  } else {
    const handle = typeof source === 'string' ? source : source.receiptHandle;
    if (!delivery.writeReceiptText(handle, writer.buffer, at)) {
      writer.buffer.fill(0, at, at + delivery.RECEIPT_BYTES);
    }
  }
  writer.length = at + delivery.RECEIPT_BYTES;
}
