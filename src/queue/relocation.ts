/* Copying what still lives from the oldest regions of the log to its head, so that they can be
 * released: messages, with all that they have been through, and deduplication ids. */

import * as record from './event-record.ts';
import { beginRecord } from './event-record.ts';
import { READY } from './message-table.ts';
import type { QueueState } from './queue-state.ts';

/** Where an entry's bytes are read from: a `Log`. */
interface EntryReader {
  read(position: number, length: number): void;
  readonly readBuffer: Buffer;
  readonly readOffset: number;
}

const DEDUP_ENTRIES_PER_RECORD = 1000;
let copy = Buffer.alloc(0);

/** Writes the message in `slot` anew, at the head. */
export function relocate(state: QueueState, reader: EntryReader, slot: number): void {
  const { store, table, journal } = state;
  const bytes = table.entryBytes(slot);
  const queue = store.queueOf(slot);
  // The claim below may take away what was read.
  if (copy.length < bytes) copy = Buffer.alloc(bytes * 2);
  reader.read(table.position(slot), bytes);
  reader.readBuffer.copy(copy, 0, reader.readOffset, reader.readOffset + bytes);
  const messageState = table.state(slot);
  const flags = messageState | (queue.fifo ? record.FLAG_RELOCATE_FIFO : 0);
  const length = record.RELOCATE_HEADER_BYTES + bytes;
  const { queueId } = queue;
  const at = beginRecord(journal, length, record.RELOCATE, flags, 1, queueId, table.sentAt(slot));
  const { view, buffer } = journal;
  const deadline = messageState === READY ? 0 : store.heap.deadline(slot);
  view.setFloat64(at + record.RELOCATE_SEQUENCE_AT, table.sequence(slot), true);
  view.setFloat64(at + record.RELOCATE_DEADLINE_AT, deadline, true);
  view.setFloat64(at + record.RELOCATE_FIRST_RECEIVED_AT, table.firstReceivedAt(slot), true);
  view.setFloat64(at + record.RELOCATE_LAST_RECEIVED_AT, table.lastReceivedAt(slot), true);
  view.setUint32(at + record.RELOCATE_SLOT_AT, slot, true);
  view.setUint32(at + record.RELOCATE_COUNT_AT, table.receiveCount(slot), true);
  view.setUint32(at + record.RELOCATE_SOURCE_AT, table.source(slot), true);
  view.setUint32(at + record.RELOCATE_SOURCE_AT + 4, 0, true);
  copy.copy(buffer, at + record.RELOCATE_HEADER_BYTES, 0, bytes);
  store.relocate(slot, journal.claimedPosition + record.RELOCATE_HEADER_BYTES);
}

/** Writes what the regions before `region` say beyond messages: the counters, and deduplication ids
 *  that have not ended. */
export function replaceBefore(state: QueueState, region: number, now: number): void {
  const { store, journal } = state;
  const at = beginRecord(journal, record.COUNTERS_BYTES, record.COUNTERS, 0, 0, 0, now);
  journal.view.setFloat64(at + record.COUNTERS_SEQUENCE_AT, store.nextSequence, true);
  store.dedup.expire(now, Number.POSITIVE_INFINITY);
  const indexes: number[] = [];
  store.dedup.forEachUpTo(region - 1, (index) => indexes.push(index));
  for (let from = 0; from < indexes.length; from += DEDUP_ENTRIES_PER_RECORD) {
    writeDedup(state, indexes.slice(from, from + DEDUP_ENTRIES_PER_RECORD), now);
  }
}

function writeDedup(state: QueueState, indexes: readonly number[], now: number): void {
  const { store, journal } = state;
  const count = indexes.length;
  const length = record.HEADER_BYTES + count * record.DEDUP_ENTRY_BYTES;
  const at = beginRecord(journal, length, record.DEDUP, 0, count, 0, now);
  indexes.forEach((index, i) => {
    const to = at + record.HEADER_BYTES + i * record.DEDUP_ENTRY_BYTES;
    store.dedup.encode(index, journal.buffer, to);
    store.dedup.setRegion(index, journal.currentRegion);
  });
}
