/* Sending entries that are encoded already: a run of them goes into a request ring as one block of
 * bytes, and only their ids are written. Where entries have to go to several partitions, each is
 * copied on its own. */

import { copyBytes, utf8Text } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { BrokerError, ERRORS, NO_ERROR } from '../base/errors.ts';
import * as codec from '../command/command-codec.ts';
import * as entry from '../command/message-entry.ts';
import { COUNTER_AT, writeIdAfter } from '../command/message-id.ts';
import { partitionOfGroup } from '../command/placement.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import type { MessageIds } from './message-ids.ts';
import type { EntryBlock, EntrySink } from './native-service.ts';
import type { PartitionHandle, PendingRequest } from './partition-handle.ts';
import { refusal } from './requests.ts';

/** What this half of a router takes from the other. */
export interface EncodedSenderParts {
  readonly handles: readonly PartitionHandle[];
  readonly ids: MessageIds;
  readonly clock: Clock;
  /** Where `bytes` without a key go; throws when no partition runs. */
  readonly place: (bytes: number) => PartitionHandle;
  readonly flushSoon: () => void;
}

export class EncodedSender {
  readonly #parts: EncodedSenderParts;

  constructor(parts: EncodedSenderParts) {
    this.#parts = parts;
  }

  /** @param block its entries have been checked, and need no more than an id. */
  send(queue: QueueDefinition, block: EntryBlock, sink: EntrySink): void {
    try {
      if (block.keyed || queue.attributes.fifo) this.#sendKeyed(queue, block, sink);
      else this.#sendBlock(this.#parts.place(block.length), queue, block, sink);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      sink.onFailure(error);
    }
    this.#parts.flushSoon();
  }

  /** The block as it is, to one partition. */
  #sendBlock(
    handle: PartitionHandle,
    queue: QueueDefinition,
    block: EntryBlock,
    sink: EntrySink,
  ): void {
    const { ids, clock } = this.#parts;
    const { count, length } = block;
    ids.reserve(clock(), count);
    const request = new BlockRequest(sink, ids.bytes, count, queue.name);
    const correlation = handle.begin(codec.REQUEST_HEADER_BYTES + length, request);
    const { buffer, view, at } = handle;
    codec.writeRequestHeader(view, at, codec.OP_SEND, count, correlation, queue.queueId, 0);
    const from = at + codec.REQUEST_HEADER_BYTES;
    copyBytes(block.buffer, block.at, block.at + length, buffer, from);
    writeIds(view, from, count, ids);
    handle.finish(codec.REQUEST_HEADER_BYTES + length);
  }

  #sendKeyed(queue: QueueDefinition, block: EntryBlock, sink: EntrySink): void {
    const parts = this.#partsOf(queue, block);
    if (parts.size === 1) {
      const [handle] = parts.keys();
      this.#sendBlock(handle!, queue, block, sink);
      return;
    }
    const results = new PartedResults(block.count, parts.size, sink);
    for (const [handle, part] of parts) {
      try {
        this.#sendPart(handle, queue, block, part, results);
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        results.failPart(part.places, error);
      }
    }
  }

  /** Which entries go to which partition. */
  #partsOf(queue: QueueDefinition, block: EntryBlock): Map<PartitionHandle, Part> {
    const { handles, place } = this.#parts;
    const { buffer, view, count } = block;
    const parts = new Map<PartitionHandle, Part>();
    let at = block.at;
    for (let i = 0; i < count; i++) {
      const bytes = view.getUint32(at + entry.ENTRY_BYTES_AT, true);
      const groupBytes = buffer[at + entry.GROUP_BYTES_AT]!;
      const groupAt = entry.groupIdOffset(buffer, at);
      const handle =
        groupBytes === 0
          ? place(bytes)
          : handles[
              partitionOfGroup(
                queue,
                utf8Text(buffer, groupAt, groupAt + groupBytes),
                handles.length,
              )
            ]!;
      let part = parts.get(handle);
      if (part === undefined) parts.set(handle, (part = { places: [], offsets: [], bytes: 0 }));
      part.places.push(i);
      part.offsets.push(at);
      part.bytes += bytes;
      at += bytes;
    }
    return parts;
  }

  #sendPart(
    handle: PartitionHandle,
    queue: QueueDefinition,
    block: EntryBlock,
    { places, offsets, bytes }: Part,
    results: PartedResults,
  ): void {
    const { ids, clock } = this.#parts;
    const count = places.length;
    ids.reserve(clock(), count);
    const sink: EntrySink = {
      onSent: (firstId, firstSequence) => results.addUniform(places, firstId, firstSequence),
      onSentEach: (each) => results.addEach(places, each),
      onFailure: (error) => results.failPart(places, error),
    };
    const request = new BlockRequest(sink, ids.bytes, count, queue.name);
    const correlation = handle.begin(codec.REQUEST_HEADER_BYTES + bytes, request);
    const { buffer, view, at } = handle;
    codec.writeRequestHeader(view, at, codec.OP_SEND, count, correlation, queue.queueId, 0);
    let to = at + codec.REQUEST_HEADER_BYTES;
    for (const from of offsets) {
      const length = block.view.getUint32(from + entry.ENTRY_BYTES_AT, true);
      copyBytes(block.buffer, from, from + length, buffer, to);
      to += length;
    }
    writeIds(view, at + codec.REQUEST_HEADER_BYTES, count, ids);
    handle.finish(codec.REQUEST_HEADER_BYTES + bytes);
  }
}

/** The entries of a batch that go to one partition. */
interface Part {
  readonly places: number[];
  readonly offsets: number[];
  bytes: number;
}

/** Gives each of the entries from `at` on its id. */
function writeIds(view: DataView, at: number, count: number, ids: MessageIds): void {
  const { bytes } = ids;
  const id = new DataView(bytes.buffer, bytes.byteOffset);
  const first = id.getUint32(0);
  const second = id.getUint32(4);
  const third = id.getUint32(8);
  let entryAt = at;
  for (let i = 0; i < count; i++) {
    const idAt = entryAt + entry.MESSAGE_ID_AT;
    view.setUint32(idAt, first);
    view.setUint32(idAt + 4, second);
    view.setUint32(idAt + 8, third);
    view.setUint32(idAt + COUNTER_AT, id.getUint32(COUNTER_AT));
    ids.advance();
    entryAt += view.getUint32(entryAt + entry.ENTRY_BYTES_AT, true);
  }
}

/** A send whose entries are of one partition. */
class BlockRequest implements PendingRequest {
  readonly #sink: EntrySink;
  readonly #firstId: Uint8Array;
  readonly #count: number;
  readonly #queueName: string;

  constructor(sink: EntrySink, firstId: Uint8Array, count: number, queueName: string) {
    this.#sink = sink;
    this.#firstId = firstId.slice();
    this.#count = count;
    this.#queueName = queueName;
  }

  onReply(buffer: Buffer, view: DataView, at: number): void {
    const error = buffer[at + codec.ERROR_AT]!;
    const from = at + codec.REPLY_HEADER_BYTES;
    if (error !== NO_ERROR) {
      this.#sink.onFailure(refusal(error, this.#queueName));
    } else if (view.getUint32(at + codec.FIRST_AT, true) === codec.UNIFORM) {
      this.#sink.onSent(this.#firstId, view.getFloat64(from, true));
    } else {
      const bytes = this.#count * codec.SEND_RESULT_BYTES;
      const results = Uint8Array.prototype.slice.call(buffer, from, from + bytes);
      for (let i = 0; i < this.#count; i++) this.#addId(results, i);
      this.#sink.onSentEach(results);
    }
  }

  /** A partition tells the ids of duplicates only. */
  #addId(results: Uint8Array, index: number): void {
    const at = index * codec.SEND_RESULT_BYTES;
    if (results[at] !== NO_ERROR || results[at + codec.SEND_RESULT_DUPLICATE_AT] !== 0) return;
    writeIdAfter(this.#firstId, index, results, at + codec.SEND_RESULT_ID_AT);
  }

  onFailure(error: BrokerError): void {
    this.#sink.onFailure(error);
  }
}

/** One send over several partitions. Those that fail fail their entries only, each with the code of
 *  its own part, unless all of them fail for one reason. */
class PartedResults {
  readonly #results: Uint8Array;
  readonly #view: DataView;
  readonly #sink: EntrySink;
  readonly #parts: number;
  #ended = 0;
  #failure: BrokerError | undefined;
  /** Not all parts came to the same end. */
  #mixed = false;

  constructor(count: number, parts: number, sink: EntrySink) {
    this.#results = new Uint8Array(count * codec.SEND_RESULT_BYTES);
    this.#view = new DataView(this.#results.buffer);
    this.#parts = parts;
    this.#sink = sink;
  }

  addUniform(places: readonly number[], firstId: Uint8Array, firstSequence: number): void {
    for (const [i, place] of places.entries()) {
      const at = place * codec.SEND_RESULT_BYTES;
      this.#view.setFloat64(at + codec.SEND_RESULT_SEQUENCE_AT, firstSequence + i, true);
      writeIdAfter(firstId, i, this.#results, at + codec.SEND_RESULT_ID_AT);
    }
    this.#onPart(undefined);
  }

  addEach(places: readonly number[], each: Uint8Array): void {
    for (const [i, place] of places.entries()) {
      const from = i * codec.SEND_RESULT_BYTES;
      const result = each.subarray(from, from + codec.SEND_RESULT_BYTES);
      this.#results.set(result, place * codec.SEND_RESULT_BYTES);
    }
    this.#onPart(undefined);
  }

  failPart(places: readonly number[], error: BrokerError): void {
    for (const place of places) {
      this.#results[place * codec.SEND_RESULT_BYTES] = ERRORS[error.code].number;
    }
    this.#onPart(error);
  }

  #onPart(error: BrokerError | undefined): void {
    this.#mixed ||= this.#ended > 0 && error?.code !== this.#failure?.code;
    this.#failure = error;
    if (++this.#ended < this.#parts) return;
    if (error !== undefined && !this.#mixed) this.#sink.onFailure(error);
    else this.#sink.onSentEach(this.#results);
  }
}
