/* Deletes and visibility changes: receipts are checked, sorted by partition, and sent as one frame
 * each. A receipt that is not ours fails alone. */

import { BrokerError, ERRORS, type ErrorCode, errorCodeOf } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../base/limits.ts';
import type { Settle } from '../base/settle.ts';
import * as codec from '../command/command-codec.ts';
import { RECEIPT_BYTES } from '../command/receipt.ts';
import { Delivered } from './delivered.ts';
import type { ReceiptBlock, ResultSink } from './native-service.ts';
import type { PartitionHandle } from './partition-handle.ts';
import type { ReceiptCodec } from './receipt-handle.ts';
import { type ReceiptSink, ReceiptsRequest } from './requests.ts';
import type { ReceiptSource } from './service.ts';

const TIMEOUT_BYTES = 4;
const INVALID: ErrorCode = errorCodeOf(ERRORS.CAPSTAN_RECEIPT_HANDLE_INVALID.number);
/** In `partitions`: the receipt is not ours. */
const NOWHERE = -1;

export class ReceiptBatches {
  readonly #handles: readonly PartitionHandle[];
  readonly #receipts: ReceiptCodec;
  readonly #flushSoon: () => void;
  // What the receipts of the call at hand say; one row each.
  readonly #partitions = new Int32Array(BATCH_ENTRIES_MAX);
  readonly #slots = new Uint32Array(BATCH_ENTRIES_MAX);
  readonly #sequences = new Uint32Array(BATCH_ENTRIES_MAX);
  readonly #deliveries = new Uint32Array(BATCH_ENTRIES_MAX);
  readonly #timeouts = new Uint32Array(BATCH_ENTRIES_MAX);

  constructor(handles: readonly PartitionHandle[], receipts: ReceiptCodec, flushSoon: () => void) {
    this.#handles = handles;
    this.#receipts = receipts;
    this.#flushSoon = flushSoon;
  }

  /** `op` is OP_DELETE, or OP_CHANGE_VISIBILITY with `timeoutsMs`. */
  send(
    op: number,
    queueId: number,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[] | undefined,
    result: Settle<(ErrorCode | undefined)[]>,
  ): void {
    const count = receipts.length;
    if (count === 0) {
      result.resolve([]);
      return;
    }
    const batch = new ReceiptBatch(count, result);
    try {
      const mixed = this.#read(queueId, receipts, batch);
      this.#send(op, queueId, count, timeoutsMs, mixed, batch);
    } catch (error) {
      // After a defect part of it may be on its way all the same; nobody is told of that.
      batch.abandon(error);
    }
  }

  /** The same for receipts as bytes; with OP_CHANGE_VISIBILITY a timeout follows on each. */
  sendEncoded(op: number, queueId: number, block: ReceiptBlock, sink: ResultSink): void {
    const batch = new EncodedReceiptBatch(block.count, sink);
    const timed = op === codec.OP_CHANGE_VISIBILITY;
    const mixed = this.#readEncoded(queueId, block, timed, batch);
    this.#send(op, queueId, block.count, timed ? this.#timeouts : undefined, mixed, batch);
  }

  #send(
    op: number,
    queueId: number,
    count: number,
    timeoutsMs: ArrayLike<number> | undefined,
    mixed: boolean,
    batch: PartedBatch,
  ): void {
    const first = this.#partitions[0]!;
    if (!mixed && first !== NOWHERE) {
      batch.expect(1);
      this.#write(first, op, queueId, count, undefined, timeoutsMs, batch);
    } else {
      this.#sendParts(op, queueId, count, timeoutsMs, batch);
    }
    this.#flushSoon();
  }

  /** Reads every receipt into the columns; true when they are of more than one partition. */
  #read(queueId: number, receipts: readonly ReceiptSource[], batch: PartedBatch): boolean {
    let mixed = false;
    for (let i = 0; i < receipts.length; i++) {
      const receipt = receipts[i]!;
      if (receipt instanceof Delivered && receipt.frame.queueId === queueId) {
        this.#partitions[i] = receipt.frame.partition;
        this.#slots[i] = receipt.slot;
        this.#sequences[i] = receipt.sequenceNumber;
        this.#deliveries[i] = receipt.delivery;
      } else {
        const handle = typeof receipt === 'string' ? receipt : receipt.receiptHandle;
        this.#keep(i, this.#receipts.decode(handle, queueId), batch);
      }
      mixed ||= this.#partitions[i] !== this.#partitions[0];
    }
    return mixed;
  }

  #readEncoded(
    queueId: number,
    { view, at, count }: ReceiptBlock,
    timed: boolean,
    batch: PartedBatch,
  ): boolean {
    const stride = codec.SEALED_RECEIPT_BYTES + (timed ? TIMEOUT_BYTES : 0);
    let mixed = false;
    for (let i = 0, from = at; i < count; i++, from += stride) {
      this.#keep(i, this.#receipts.open(view, from, queueId), batch);
      if (timed) {
        this.#timeouts[i] = view.getUint32(from + codec.SEALED_RECEIPT_BYTES, true);
      }
      mixed ||= this.#partitions[i] !== this.#partitions[0];
    }
    return mixed;
  }

  /** Puts what the codec has found into row `i`. */
  #keep(i: number, known: boolean, batch: PartedBatch): void {
    const { partition, slot, sequenceLow, delivery } = this.#receipts;
    if (known && partition < this.#handles.length) {
      this.#partitions[i] = partition;
      this.#slots[i] = slot;
      this.#sequences[i] = sequenceLow;
      this.#deliveries[i] = delivery;
    } else {
      this.#partitions[i] = NOWHERE;
      batch.fail(i, INVALID);
    }
  }

  #sendParts(
    op: number,
    queueId: number,
    count: number,
    timeoutsMs: ArrayLike<number> | undefined,
    batch: PartedBatch,
  ): void {
    const parts = new Map<number, number[]>();
    for (let i = 0; i < count; i++) {
      const partition = this.#partitions[i]!;
      if (partition === NOWHERE) continue;
      const places = parts.get(partition) ?? [];
      parts.set(partition, places);
      places.push(i);
    }
    batch.expect(parts.size);
    for (const [partition, places] of parts) {
      this.#write(partition, op, queueId, places.length, places, timeoutsMs, batch);
    }
  }

  #write(
    partition: number,
    op: number,
    queueId: number,
    count: number,
    places: readonly number[] | undefined,
    timeoutsMs: ArrayLike<number> | undefined,
    batch: PartedBatch,
  ): void {
    const handle = this.#handles[partition]!;
    const request = new ReceiptsRequest(batch, count, places);
    const entryBytes = RECEIPT_BYTES + (timeoutsMs === undefined ? 0 : TIMEOUT_BYTES);
    const bytes = codec.REQUEST_HEADER_BYTES + count * entryBytes;
    let correlation: number;
    try {
      correlation = handle.begin(bytes, request);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      request.onFailure(error);
      return;
    }
    const { view, at } = handle;
    codec.writeRequestHeader(view, at, op, count, correlation, queueId, 0);
    let to = at + codec.REQUEST_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      const place = places === undefined ? i : places[i]!;
      view.setUint32(to, this.#slots[place]!, true);
      view.setUint32(to + 4, this.#sequences[place]!, true);
      view.setUint32(to + 8, this.#deliveries[place]!, true);
      if (timeoutsMs !== undefined) {
        view.setUint32(to + RECEIPT_BYTES, timeoutsMs[place]!, true);
      }
      to += entryBytes;
    }
    handle.finish(bytes);
  }
}

/** One call, over however many partitions its receipts are of. */
interface PartedBatch extends ReceiptSink {
  /** @param parts as many partitions are asked; of none, the call is done. */
  expect(parts: number): void;
}

class ReceiptBatch implements PartedBatch {
  readonly #results: (ErrorCode | undefined)[];
  readonly #result: Settle<(ErrorCode | undefined)[]>;
  #parts = 0;
  #told = false;

  constructor(count: number, result: Settle<(ErrorCode | undefined)[]>) {
    this.#results = new Array<ErrorCode | undefined>(count).fill(undefined);
    this.#result = result;
  }

  expect(parts: number): void {
    this.#parts = parts;
    if (parts === 0) this.#end();
  }

  #end(): void {
    if (this.#told) return;
    this.#told = true;
    this.#result.resolve(this.#results);
  }

  abandon(error: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#result.reject(error);
  }

  fail(index: number, code: ErrorCode): void {
    this.#results[index] = code;
  }

  onPart(): void {
    if (--this.#parts === 0) this.#end();
  }
}

class EncodedReceiptBatch implements PartedBatch {
  readonly #count: number;
  readonly #sink: ResultSink;
  #errors: Uint8Array | undefined;
  #parts = 0;

  constructor(count: number, sink: ResultSink) {
    this.#count = count;
    this.#sink = sink;
  }

  expect(parts: number): void {
    this.#parts = parts;
    if (parts === 0) this.#sink.onResults(this.#errors);
  }

  fail(index: number, code: ErrorCode): void {
    this.#errors ??= new Uint8Array(this.#count);
    this.#errors[index] = ERRORS[code].number;
  }

  onPart(): void {
    if (--this.#parts === 0) this.#sink.onResults(this.#errors);
  }
}
