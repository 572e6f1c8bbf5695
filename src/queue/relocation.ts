/* Copying what still lives from the oldest regions of the log to its head, so that they can be
 * released: messages, with all that they have been through, and deduplication ids. */

import * as record from './event-record.ts';
import { beginRecord, type Journal } from './event-record.ts';
import type { MessageStore } from './message-store.ts';
import { READY } from './message-table.ts';
import type { QueueState } from './queue-state.ts';
import type { Attempt } from './receive-attempts.ts';
import { areHeld } from './receiving.ts';

/** Where an entry's bytes are read from: a `Log`. */
export interface EntryReader {
  read(position: number, length: number): void;
  readonly readBuffer: Buffer;
  readonly readOffset: number;
}

const DEDUP_ENTRIES_PER_RECORD = 1000;
/** Grows to the largest entry that was read. */
let scratch = Buffer.alloc(0);

/** Writes the message in `slot` anew, at the head. Its entry is at `from` in `source`. */
export function relocate(state: QueueState, slot: number, source: Buffer, from: number): void {
  const { store, table, journal } = state;
  writeRelocation(journal, store, slot, slot, table.sequence(slot), source, from);
  store.relocate(slot, journal.claimedPosition + record.RELOCATE_HEADER_BYTES);
}

/** The entry of the message in `slot`, out of the reach of later claims; until the next call. */
export function readEntry(store: MessageStore, reader: EntryReader, slot: number): Buffer {
  const bytes = store.table.entryBytes(slot);
  if (scratch.length < bytes) scratch = Buffer.alloc(bytes * 2);
  reader.read(store.table.position(slot), bytes);
  reader.readBuffer.copy(scratch, 0, reader.readOffset, reader.readOffset + bytes);
  return scratch.subarray(0, bytes);
}

/** Writes a RELOCATE record: the message in `slot` of `store` is from here on in `newSlot`, with
 *  the sequence `newSequence`. Its entry is at `from` in `source`. */
export function writeRelocation(
  journal: Journal,
  store: MessageStore,
  slot: number,
  newSlot: number,
  newSequence: number,
  source: Buffer,
  from: number,
): void {
  const { table } = store;
  const { queueId, fifo } = store.queueOf(slot);
  const messageState = table.state(slot);
  const flags = messageState | (fifo ? record.FLAG_RELOCATE_FIFO : 0);
  const entryBytes = table.entryBytes(slot);
  const length = record.RELOCATE_HEADER_BYTES + entryBytes;
  const at = beginRecord(journal, length, record.RELOCATE, flags, 1, queueId, table.sentAt(slot));
  const { view, buffer } = journal;
  const deadline = messageState === READY ? 0 : store.heap.deadline(slot);
  view.setFloat64(at + record.RELOCATE_SEQUENCE_AT, newSequence, true);
  view.setFloat64(at + record.RELOCATE_DEADLINE_AT, deadline, true);
  view.setFloat64(at + record.RELOCATE_FIRST_RECEIVED_AT, table.firstReceivedAt(slot), true);
  view.setFloat64(at + record.RELOCATE_LAST_RECEIVED_AT, table.lastReceivedAt(slot), true);
  view.setUint32(at + record.RELOCATE_SLOT_AT, newSlot, true);
  view.setUint32(at + record.RELOCATE_COUNT_AT, table.receiveCount(slot), true);
  view.setUint32(at + record.RELOCATE_SOURCE_AT, table.source(slot), true);
  view.setUint32(at + record.RELOCATE_SOURCE_AT + 4, 0, true);
  source.copy(buffer, at + record.RELOCATE_HEADER_BYTES, from, from + entryBytes);
}

/** Writes what the regions before `region` say beyond messages: the counters, and deduplication ids
 *  and receive attempts that have not ended. */
export function replaceBefore(state: QueueState, region: number, now: number): void {
  const { store, journal } = state;
  writeCounters(journal, store.nextSequence, store.takenOver, now);
  store.dedup.expire(now, Number.POSITIVE_INFINITY);
  const indexes: number[] = [];
  store.dedup.forEachUpTo(region - 1, (index) => indexes.push(index));
  writeDeduplication(journal, store, indexes, now);
  for (const index of indexes) store.dedup.setRegion(index, journal.currentRegion);
  store.attempts.rewrite(now, (attempt) => {
    const queue = store.find(attempt.queueId);
    if (queue === undefined || !areHeld(store, queue, attempt.messages)) return false;
    writeAttempt(journal, attempt);
    return true;
  });
}

function writeAttempt(journal: Journal, { queueId, attempt, receivedAt, messages }: Attempt): void {
  const count = messages.length;
  const length = record.ATTEMPT_REFS_AT + count * record.ATTEMPT_REF_BYTES;
  const at = beginRecord(journal, length, record.ATTEMPT, 0, count, queueId, receivedAt);
  const { view } = journal;
  view.setFloat64(at + record.ATTEMPT_AT, attempt, true);
  messages.forEach(({ slot, sequence, delivery }, i) => {
    const ref = at + record.ATTEMPT_REFS_AT + i * record.ATTEMPT_REF_BYTES;
    view.setUint32(ref, slot, true);
    view.setUint32(ref + 4, sequence >>> 0, true);
    view.setUint32(ref + 8, delivery, true);
  });
}

/** `takenOver` is by partition, as far as any message was. */
export function writeCounters(
  journal: Journal,
  nextSequence: number,
  takenOver: Float64Array,
  now: number,
): void {
  const count = takenOver.findLastIndex((sequence) => sequence > 0) + 1;
  const length = record.COUNTERS_BYTES + count * 8;
  const at = beginRecord(journal, length, record.COUNTERS, 0, count, 0, now);
  const { view } = journal;
  view.setFloat64(at + record.COUNTERS_SEQUENCE_AT, nextSequence, true);
  for (let partition = 0; partition < count; partition++) {
    view.setFloat64(at + record.COUNTERS_BYTES + partition * 8, takenOver[partition]!, true);
  }
}

/** Writes entries of the deduplication window anew. */
export function writeDeduplication(
  journal: Journal,
  store: MessageStore,
  indexes: readonly number[],
  now: number,
): void {
  for (let from = 0; from < indexes.length; from += DEDUP_ENTRIES_PER_RECORD) {
    const part = indexes.slice(from, from + DEDUP_ENTRIES_PER_RECORD);
    const length = record.HEADER_BYTES + part.length * record.DEDUP_ENTRY_BYTES;
    const at = beginRecord(journal, length, record.DEDUP, 0, part.length, 0, now);
    part.forEach((index, i) => {
      const to = at + record.HEADER_BYTES + i * record.DEDUP_ENTRY_BYTES;
      store.dedup.encode(index, journal.buffer, to);
    });
  }
}
