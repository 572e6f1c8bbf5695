/* The requests that a router sends to partitions, but for receives: how each is written into its
 * frame, and what becomes of its reply. */

import { BrokerError, type ErrorCode, errorCodeOf, NO_ERROR } from '../base/errors.ts';
import type { Settle } from '../base/settle.ts';
import * as codec from '../command/command-codec.ts';
import { AcceptedMessage, messageIdText } from '../command/message-id.ts';
import type { PartitionHandle, PendingRequest } from './partition-handle.ts';
import type { SendOutcome } from './service.ts';

/** Where a batch's outcomes go: one batch may be spread over several partitions. */
export interface SendSink {
  readonly outcomes: SendOutcome[];
  /** Called once per partition that was asked; with an error, nothing is known of what was to go
   *  there. Its entries are at `places` of the batch; undefined: all of them. */
  onPart(error: BrokerError | undefined, places: readonly number[] | undefined): void;
}

export class SendRequest implements PendingRequest {
  readonly #sink: SendSink;
  readonly #firstId: Uint8Array;
  readonly #count: number;
  /** Of each entry, its index among the outcomes; undefined: the entries are the whole batch. */
  readonly #places: readonly number[] | undefined;
  readonly #queueName: string;

  constructor(
    sink: SendSink,
    firstId: Uint8Array,
    count: number,
    places: readonly number[] | undefined,
    queueName: string,
  ) {
    this.#sink = sink;
    this.#firstId = new Uint8Array(firstId);
    this.#count = count;
    this.#places = places;
    this.#queueName = queueName;
  }

  onReply(buffer: Buffer, view: DataView, at: number): void {
    const error = buffer[at + codec.ERROR_AT]!;
    if (error !== NO_ERROR) {
      this.#sink.onPart(refusal(error, this.#queueName), this.#places);
      return;
    }
    const uniform = view.getUint32(at + codec.FIRST_AT, true) === codec.UNIFORM;
    let from = at + codec.REPLY_HEADER_BYTES;
    const firstSequence = uniform ? view.getFloat64(from, true) : 0;
    const { outcomes } = this.#sink;
    for (let i = 0; i < this.#count; i++) {
      const place = this.#places === undefined ? i : this.#places[i]!;
      if (uniform) {
        outcomes[place] = new AcceptedMessage(this.#firstId, i, firstSequence + i);
      } else {
        outcomes[place] = this.#outcome(buffer, view, from, i);
        from += codec.SEND_RESULT_BYTES;
      }
    }
    this.#sink.onPart(undefined, this.#places);
  }

  #outcome(buffer: Buffer, view: DataView, from: number, index: number): SendOutcome {
    const error = buffer[from]!;
    if (error !== NO_ERROR) {
      return { error: errorCodeOf(error), messageId: '', sequenceNumber: 0 };
    }
    const sequenceNumber = view.getFloat64(from + codec.SEND_RESULT_SEQUENCE_AT, true);
    if (buffer[from + codec.SEND_RESULT_DUPLICATE_AT] === 0) {
      return new AcceptedMessage(this.#firstId, index, sequenceNumber);
    }
    const messageId = messageIdText(buffer, from + codec.SEND_RESULT_ID_AT);
    return { error: undefined, messageId, sequenceNumber };
  }

  onFailure(error: BrokerError): void {
    this.#sink.onPart(error, this.#places);
  }
}

/** What a reply's error number says, as an error. */
export function refusal(number: number, queueName: string): BrokerError {
  const code = errorCodeOf(number);
  const reasons: Partial<Record<ErrorCode, string>> = {
    CAPSTAN_QUEUE_DOES_NOT_EXIST: `There is no queue "${queueName}".`,
    CAPSTAN_DISK_FULL: 'The disk is full: no message can be accepted.',
    CAPSTAN_OVER_LIMIT: `"${queueName}" has as many messages, or as many in flight, as it may.`,
  };
  return new BrokerError(code, reasons[code] ?? `The partition refused the request.`);
}

/** Results of a batch of receipts: several partitions may each have a part of it. */
export interface ReceiptSink {
  /** A receipt has failed; called before its part is done. */
  fail(index: number, code: ErrorCode): void;
  /** Called once per partition that was asked. */
  onPart(): void;
}

/** A delete or a visibility change. A partition that is gone fails its receipts only. */
export class ReceiptsRequest implements PendingRequest {
  readonly #sink: ReceiptSink;
  /** Of each receipt, its index among the results; undefined: the receipts are the whole batch. */
  readonly #places: readonly number[] | undefined;
  readonly #count: number;

  constructor(sink: ReceiptSink, count: number, places: readonly number[] | undefined) {
    this.#sink = sink;
    this.#count = count;
    this.#places = places;
  }

  onReply(buffer: Buffer, view: DataView, at: number): void {
    const error = buffer[at + codec.ERROR_AT]!;
    if (error !== NO_ERROR) this.#fail(errorCodeOf(error));
    else if (view.getUint32(at + codec.FIRST_AT, true) !== codec.UNIFORM) {
      const from = at + codec.REPLY_HEADER_BYTES;
      for (let i = 0; i < this.#count; i++) {
        const result = buffer[from + i]!;
        if (result !== NO_ERROR) this.#set(i, errorCodeOf(result));
      }
    }
    this.#sink.onPart();
  }

  onFailure(error: BrokerError): void {
    this.#fail(error.code);
    this.#sink.onPart();
  }

  #fail(code: ErrorCode): void {
    for (let i = 0; i < this.#count; i++) this.#set(i, code);
  }

  #set(index: number, code: ErrorCode): void {
    this.#sink.fail(this.#places === undefined ? index : this.#places[index]!, code);
  }
}

/** A reply read as it comes; for commands off the hot path. */
export function ask<T>(
  handle: PartitionHandle,
  op: number,
  count: number,
  queueId: number,
  operand: number,
  payload: Uint8Array | undefined,
  read: (buffer: Buffer, view: DataView, at: number, length: number) => T,
): Promise<T> {
  const result = deferred<T>();
  const bytes = codec.REQUEST_HEADER_BYTES + (payload === undefined ? 0 : payload.length);
  const correlation = handle.begin(bytes, {
    onReply(buffer, view, at, length) {
      const error = buffer[at + codec.ERROR_AT]!;
      if (error === NO_ERROR) result.resolve(read(buffer, view, at, length));
      else result.reject(refusal(error, `#${queueId}`));
    },
    onFailure: (error) => result.reject(error),
  });
  codec.writeRequestHeader(handle.view, handle.at, op, count, correlation, queueId, operand);
  if (payload !== undefined) handle.buffer.set(payload, handle.at + codec.REQUEST_HEADER_BYTES);
  handle.finish(bytes);
  handle.flush();
  return result.promise;
}

export interface Deferred<T> extends Settle<T> {
  readonly promise: Promise<T>;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
