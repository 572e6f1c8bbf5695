/* A send to a FIFO queue: each entry is looked up in the deduplication window, and only those that
 * are new are written. The record is claimed for all of them; what duplicates leave is unused. */

import { ERRORS, NO_ERROR } from '../base/errors.ts';
import * as entry from '../command/message-entry.ts';
import { NOT_FOUND } from './dedup-window.ts';
import { findDuplicate, noteDeduplication } from './deduplication.ts';
import * as record from './event-record.ts';
import type { Queue } from './queue.ts';
import type { QueueState } from './queue-state.ts';

export function sendFifo(
  state: QueueState,
  queue: Queue,
  source: Buffer,
  view: DataView,
  at: number,
  end: number,
  count: number,
  now: number,
): void {
  const { store, table, journal } = state;
  const { queueId, settings } = queue;
  const perGroup = settings.deduplicationPerGroup;
  const flags = record.FLAG_FIFO | (perGroup ? record.FLAG_DEDUP_PER_GROUP : 0);
  const entriesAt = record.SEND_SLOTS_AT + count * 4;
  store.dedup.expire(now, Number.POSITIVE_INFINITY);
  const to = state.beginSend(queue, flags, count, count, entriesAt + (end - at), now);
  const { buffer, claimedPosition } = journal;
  let sequence = store.nextSequence;
  let accepted = 0;
  let target = to + entriesAt;
  let from = at;
  for (let i = 0; i < count; i++) {
    const bytes = view.getUint32(from + entry.ENTRY_BYTES_AT, true);
    const outcome = admit(state, queue, perGroup, source, from, i, now);
    if (outcome === ACCEPTED) {
      source.copy(buffer, target, from, from + bytes);
      const slot = table.allocate();
      journal.view.setUint32(to + record.SEND_SLOTS_AT + accepted * 4, slot, true);
      const own = view.getUint32(from + entry.DELAY_MS_AT, true);
      const visibleAt = now + (own === entry.DELAY_OF_QUEUE ? settings.delayMs : own);
      const position = claimedPosition + (target - to);
      const group = store.groupOfEntry(queue, buffer, target);
      store.insert(queue, slot, position, sequence, now, bytes, group, visibleAt);
      if (source[from + entry.DEDUPLICATION_BYTES_AT] !== 0) {
        noteDeduplication(store, queueId, perGroup, source, from, sequence, now, position);
      }
      state.sentSequences[i] = sequence++;
      accepted++;
      target += bytes;
    }
    from += bytes;
  }
  journal.view.setUint16(to + record.COUNT_AT, accepted, true);
  // Unused room holds zeros, so that equal decisions are equal bytes.
  buffer.fill(0, to + record.SEND_SLOTS_AT + accepted * 4, to + entriesAt);
  buffer.fill(0, target, to + entriesAt + (end - at));
  store.nextSequence = sequence;
  state.sentUniformly = accepted === count;
  state.sentTotal += accepted;
}

const ACCEPTED = 0;
const DUPLICATE = 1;
const REFUSED = 2;

/** Decides on entry `i`, and notes the result of one that is not new. */
function admit(
  state: QueueState,
  queue: Queue,
  perGroup: boolean,
  source: Buffer,
  from: number,
  i: number,
  now: number,
): number {
  state.sentErrors[i] = NO_ERROR;
  state.sentDuplicates[i] = 0;
  if (source[from + entry.GROUP_BYTES_AT] === 0) {
    state.sentErrors[i] = ERRORS.CAPSTAN_INVALID_ARGUMENT.number;
    return REFUSED;
  }
  if (source[from + entry.DEDUPLICATION_BYTES_AT] === 0) return ACCEPTED;
  const { store } = state;
  const known = findDuplicate(store, queue.queueId, perGroup, source, from, now);
  if (known === NOT_FOUND) return ACCEPTED;
  state.sentDuplicates[i] = 1;
  state.sentSequences[i] = store.dedup.sequence(known);
  store.dedup.copyMessageId(known, state.sentMessageIds, i * entry.MESSAGE_ID_BYTES);
  return DUPLICATE;
}
