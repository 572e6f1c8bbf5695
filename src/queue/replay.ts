/* From log records back to state: each record does to the store what deciding it did. Pure; the
 * partition's thread, before it runs.
 *
 * The log may begin in the middle of history. What its records say of messages that went with
 * released regions is passed over. */

import { assert } from '../base/assert.ts';
import * as entry from '../command/message-entry.ts';
import { noteDeduplication } from './deduplication.ts';
import { digestedEntryBytes } from './digest.ts';
import * as record from './event-record.ts';
import type { MessageStore } from './message-store.ts';
import { placePlain, type SendCursor } from './plain-run.ts';
import type { Queue } from './queue.ts';
import type { AttemptedMessage } from './receive-attempts.ts';

type Replay = (
  store: MessageStore,
  buffer: Buffer,
  view: DataView,
  at: number,
  position: number,
) => void;

const REPLAYS: readonly (Replay | undefined)[] = [
  undefined,
  replaySend,
  replayReceive,
  replayDelete,
  replayVisibility,
  replayMove,
  replayPurge,
  replayDrop,
  replayRelocate,
  replayCounters,
  replayDedup,
  replaySend,
  replayRelocate,
  replayAttempt,
];

/** Applies the record of `length` bytes at `at`, which lies at `position` in the log. */
export function replayRecord(
  store: MessageStore,
  buffer: Buffer,
  view: DataView,
  at: number,
  position: number,
): void {
  const replay = REPLAYS[buffer[at + record.KIND_AT]!];
  assert(replay !== undefined, 'the log holds records of kinds that this version knows');
  const time = view.getFloat64(at + record.TIME_AT, true);
  if (time > store.newestRecordAt) store.newestRecordAt = time;
  replay(store, buffer, view, at, position);
}

function queueOf(store: MessageStore, view: DataView, at: number, fifo: boolean): Queue {
  return store.obtain(view.getUint32(at + record.QUEUE_ID_AT, true), fifo);
}

function replaySend(
  store: MessageStore,
  buffer: Buffer,
  view: DataView,
  at: number,
  position: number,
): void {
  const flags = buffer[at + record.FLAGS_AT]!;
  const fifo = (flags & record.FLAG_FIFO) !== 0;
  const takenOver = (flags & record.FLAG_TAKEN_OVER) !== 0;
  const perGroup = (flags & record.FLAG_DEDUP_PER_GROUP) !== 0;
  const queue = queueOf(store, view, at, fifo);
  const count = view.getUint16(at + record.COUNT_AT, true);
  const sentAt = view.getFloat64(at + record.TIME_AT, true);
  const queueDelayMs = view.getUint32(at + record.SEND_DELAY_AT, true);
  const room = view.getUint16(at + record.SEND_ROOM_AT, true);
  const digested = buffer[at + record.KIND_AT] === record.SEND_DIGEST;
  const head = record.SEND_SLOTS_AT + room * 4;
  const cursor: SendCursor = {
    left: count,
    slotAt: at + record.SEND_SLOTS_AT,
    from: at + head,
    position: position + head,
    sequence: view.getFloat64(at + record.SEND_SEQUENCE_AT, true),
  };
  if (fifo) store.dedup.expire(sentAt, Number.POSITIVE_INFINITY);
  else placePlain(store, queue, buffer, view, cursor, sentAt, queueDelayMs, digested);
  for (; cursor.left > 0; cursor.left--) {
    const { slotAt, from, sequence } = cursor;
    const slot = view.getUint32(slotAt, true);
    const bytes = view.getUint32(from + entry.ENTRY_BYTES_AT, true);
    const delay = view.getUint32(from + entry.DELAY_MS_AT, true);
    const delayMs = takenOver ? 0 : delay === entry.DELAY_OF_QUEUE ? queueDelayMs : delay;
    const group = store.groupOfEntry(queue, buffer, from);
    store.table.place(slot);
    store.insert(queue, slot, cursor.position, sequence, sentAt, bytes, group, sentAt + delayMs);
    if (fifo && !takenOver && buffer[from + entry.DEDUPLICATION_BYTES_AT] !== 0) {
      noteDeduplication(
        store,
        queue.queueId,
        perGroup,
        buffer,
        from,
        sequence,
        sentAt,
        cursor.position,
      );
    }
    cursor.sequence++;
    cursor.slotAt += 4;
    cursor.from += digested ? digestedEntryBytes(buffer, from) : bytes;
    cursor.position += bytes;
  }
  if (cursor.sequence > store.nextSequence) store.nextSequence = cursor.sequence;
  if (takenOver) {
    const partition = view.getUint16(at + record.SEND_PARTITION_AT, true);
    store.takenOver[partition] = view.getFloat64(at + record.SEND_SLOTS_AT + count * 4, true);
  }
}

function replayReceive(store: MessageStore, _buffer: Buffer, view: DataView, at: number): void {
  const count = view.getUint16(at + record.COUNT_AT, true);
  const now = view.getFloat64(at + record.TIME_AT, true);
  const deadline = view.getFloat64(at + record.RECEIVE_DEADLINE_AT, true);
  const attempt = view.getFloat64(at + record.RECEIVE_ATTEMPT_AT, true);
  const attempted: AttemptedMessage[] = [];
  for (let i = 0; i < count; i++) {
    const ref = at + record.RECEIVE_REFS_AT + i * record.REF_BYTES;
    const slot = view.getUint32(ref, true);
    const queue = store.lookUp(slot, view.getUint32(ref + 4, true));
    if (queue === undefined) continue;
    store.deliver(queue, slot, now, deadline);
    if (attempt === 0) continue;
    const { table } = store;
    attempted.push({ slot, sequence: table.sequence(slot), delivery: table.delivery(slot) });
  }
  if (attempted.length > 0) {
    const queueId = view.getUint32(at + record.QUEUE_ID_AT, true);
    store.attempts.add(queueId, attempt, now, attempted);
  }
}

function replayAttempt(store: MessageStore, _buffer: Buffer, view: DataView, at: number): void {
  const queueId = view.getUint32(at + record.QUEUE_ID_AT, true);
  const count = view.getUint16(at + record.COUNT_AT, true);
  const receivedAt = view.getFloat64(at + record.TIME_AT, true);
  const attempt = view.getFloat64(at + record.ATTEMPT_AT, true);
  const messages = Array.from({ length: count }, (_, i): AttemptedMessage => {
    const ref = at + record.ATTEMPT_REFS_AT + i * record.ATTEMPT_REF_BYTES;
    return {
      slot: view.getUint32(ref, true),
      sequence: view.getUint32(ref + 4, true),
      delivery: view.getUint32(ref + 8, true),
    };
  });
  store.attempts.add(queueId, attempt, receivedAt, messages);
}

function replayDelete(store: MessageStore, _buffer: Buffer, view: DataView, at: number): void {
  const count = view.getUint16(at + record.COUNT_AT, true);
  for (let i = 0; i < count; i++) {
    const ref = at + record.HEADER_BYTES + i * record.REF_BYTES;
    const slot = view.getUint32(ref, true);
    const queue = store.lookUp(slot, view.getUint32(ref + 4, true));
    if (queue !== undefined) store.remove(queue, slot);
  }
}

function replayVisibility(store: MessageStore, _buffer: Buffer, view: DataView, at: number): void {
  const count = view.getUint16(at + record.COUNT_AT, true);
  const now = view.getFloat64(at + record.TIME_AT, true);
  for (let i = 0; i < count; i++) {
    const ref = at + record.HEADER_BYTES + i * record.VISIBILITY_REF_BYTES;
    const slot = view.getUint32(ref, true);
    const queue = store.lookUp(slot, view.getUint32(ref + 4, true));
    // Its receive may have been lost with a write that nobody waited for.
    if (queue === undefined || !store.isInFlight(slot)) continue;
    store.setDeadline(slot, now + view.getUint32(ref + 8, true));
  }
}

function replayMove(store: MessageStore, buffer: Buffer, view: DataView, at: number): void {
  const count = view.getUint16(at + record.COUNT_AT, true);
  const now = view.getFloat64(at + record.TIME_AT, true);
  const asNew = (buffer[at + record.FLAGS_AT]! & record.FLAG_AS_NEW) !== 0;
  const source = view.getUint32(at + record.MOVE_SOURCE_AT, true);
  let sequence = view.getFloat64(at + record.MOVE_SEQUENCE_AT, true);
  for (let i = 0; i < count; i++) {
    const ref = at + record.MOVE_REFS_AT + i * record.REF_BYTES;
    const slot = view.getUint32(ref, true);
    const queue = store.lookUp(slot, view.getUint32(ref + 4, true));
    if (queue !== undefined) {
      const target = queueOf(store, view, at, queue.fifo);
      const sentAt = asNew ? now : store.table.sentAt(slot);
      store.moveTo(queue, slot, target, sequence, sentAt, source);
    }
    sequence++;
  }
  if (sequence > store.nextSequence) store.nextSequence = sequence;
}

function replayPurge(store: MessageStore, _buffer: Buffer, view: DataView, at: number): void {
  const queue = store.find(view.getUint32(at + record.QUEUE_ID_AT, true));
  if (queue === undefined) return;
  store.purge(queue);
  // The slots may be taken again by the next record.
  store.dig(Number.POSITIVE_INFINITY);
}

function replayDrop(store: MessageStore, _buffer: Buffer, view: DataView, at: number): void {
  const queue = store.find(view.getUint32(at + record.QUEUE_ID_AT, true));
  if (queue === undefined) return;
  store.drop(queue);
  store.dig(Number.POSITIVE_INFINITY);
}

function replayRelocate(
  store: MessageStore,
  buffer: Buffer,
  view: DataView,
  at: number,
  position: number,
): void {
  const slot = view.getUint32(at + record.RELOCATE_SLOT_AT, true);
  const sequence = view.getFloat64(at + record.RELOCATE_SEQUENCE_AT, true);
  const from = at + record.RELOCATE_HEADER_BYTES;
  const entryPosition = position + record.RELOCATE_HEADER_BYTES;
  if (store.lookUp(slot, sequence >>> 0) !== undefined) {
    store.relocate(slot, entryPosition);
    return;
  }
  const flags = buffer[at + record.FLAGS_AT]!;
  const state = flags & record.RELOCATE_STATE_MASK;
  const queue = queueOf(store, view, at, (flags & record.FLAG_RELOCATE_FIFO) !== 0);
  const sentAt = view.getFloat64(at + record.TIME_AT, true);
  const bytes = view.getUint32(from + entry.ENTRY_BYTES_AT, true);
  const receiveCount = view.getUint32(at + record.RELOCATE_COUNT_AT, true);
  store.table.place(slot);
  const group = store.groupOfEntry(queue, buffer, from);
  store.insert(queue, slot, entryPosition, sequence, sentAt, bytes, group, sentAt);
  store.table.restore(
    slot,
    receiveCount,
    view.getFloat64(at + record.RELOCATE_FIRST_RECEIVED_AT, true),
    view.getFloat64(at + record.RELOCATE_LAST_RECEIVED_AT, true),
    view.getUint32(at + record.RELOCATE_SOURCE_AT, true),
  );
  const deadline = view.getFloat64(at + record.RELOCATE_DEADLINE_AT, true);
  store.restore(queue, slot, state, deadline);
  if (sequence >= store.nextSequence) store.nextSequence = sequence + 1;
}

function replayCounters(store: MessageStore, _buffer: Buffer, view: DataView, at: number): void {
  const next = view.getFloat64(at + record.COUNTERS_SEQUENCE_AT, true);
  if (next > store.nextSequence) store.nextSequence = next;
  const count = view.getUint16(at + record.COUNT_AT, true);
  for (let partition = 0; partition < count; partition++) {
    store.takenOver[partition] = view.getFloat64(at + record.COUNTERS_BYTES + partition * 8, true);
  }
}

function replayDedup(
  store: MessageStore,
  buffer: Buffer,
  view: DataView,
  at: number,
  position: number,
): void {
  const count = view.getUint16(at + record.COUNT_AT, true);
  for (let i = 0; i < count; i++) {
    const from = at + record.HEADER_BYTES + i * record.DEDUP_ENTRY_BYTES;
    store.dedup.decodeInto(buffer, view, from, store.regionOf(position));
  }
}
