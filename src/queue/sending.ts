/* Sends: entries are copied into the log once, as they came, and each gets its row. Owned by the
 * partition's thread. Results lie in typed arrays that the next send overwrites. */

import { copyBytes } from '../base/bytes.ts';
import { ERRORS, NO_ERROR } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../base/limits.ts';
import * as entry from '../command/message-entry.ts';
import { NOT_FOUND } from './dedup-window.ts';
import { findDuplicate, noteDeduplication } from './deduplication.ts';
import * as record from './event-record.ts';
import { beginRecord } from './event-record.ts';
import type { Ledger } from './ledger.ts';
import type { Queue } from './queue.ts';

/** What becomes of an entry. */
const ACCEPTED = 0;
const DUPLICATE = 1;
const REFUSED = 2;

export class Sending {
  readonly #ledger: Ledger;
  /** All entries of the last send were accepted, with sequences that follow `sequences[0]`. */
  uniform = true;
  readonly errors = new Uint8Array(BATCH_ENTRIES_MAX);
  readonly duplicates = new Uint8Array(BATCH_ENTRIES_MAX);
  readonly sequences = new Float64Array(BATCH_ENTRIES_MAX);
  /** Of duplicates: the id of the message accepted first. */
  readonly messageIds = Buffer.alloc(BATCH_ENTRIES_MAX * entry.MESSAGE_ID_BYTES);
  /** Messages accepted since the start. */
  total = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Takes `count` entries that lie back to back from `at` on. */
  send(
    queueId: number,
    source: Buffer,
    view: DataView,
    at: number,
    count: number,
    now: number,
  ): void {
    const queue = this.#ledger.store.find(queueId);
    if (queue === undefined || !queue.defined) {
      this.#refuseAll(ERRORS.CAPSTAN_QUEUE_DOES_NOT_EXIST.number, count);
      return;
    }
    if (this.#ledger.table.room < count) {
      this.#refuseAll(ERRORS.CAPSTAN_OVER_LIMIT.number, count);
      return;
    }
    let end = at;
    for (let i = 0; i < count; i++) end += view.getUint32(end + entry.ENTRY_BYTES_AT, true);
    if (queue.fifo) this.#sendFifo(queue, source, view, at, end, count, now);
    else this.#sendStandard(queue, source, at, end, count, now);
    this.#ledger.syncNeeded = true;
  }

  #refuseAll(error: number, count: number): void {
    this.uniform = false;
    this.errors.fill(error, 0, count);
    this.duplicates.fill(0, 0, count);
  }

  #sendStandard(
    queue: Queue,
    source: Buffer,
    at: number,
    end: number,
    count: number,
    now: number,
  ): void {
    const { journal, store, table } = this.#ledger;
    const { delayMs } = queue.settings;
    const entriesAt = record.SEND_SLOTS_AT + count * 4;
    const to = this.#begin(queue, 0, count, count, entriesAt + (end - at), now);
    const { buffer, view, claimedPosition } = journal;
    copyBytes(source, at, end, buffer, to + entriesAt);
    let sequence = store.nextSequence;
    this.uniform = true;
    this.sequences[0] = sequence;
    let from = to + entriesAt;
    for (let i = 0; i < count; i++) {
      const slot = table.allocate();
      view.setUint32(to + record.SEND_SLOTS_AT + i * 4, slot, true);
      const bytes = view.getUint32(from + entry.ENTRY_BYTES_AT, true);
      const own = view.getUint32(from + entry.DELAY_MS_AT, true);
      const visibleAt = now + (own === entry.DELAY_OF_QUEUE ? delayMs : own);
      const group = store.groupOfEntry(queue, buffer, from);
      const position = claimedPosition + (from - to);
      store.insert(queue, slot, position, sequence, now, bytes, group, visibleAt);
      sequence++;
      from += bytes;
    }
    store.nextSequence = sequence;
    this.total += count;
  }

  /** Claims a SEND record of `length` bytes with room for `room` slots; returns its offset. */
  #begin(
    queue: Queue,
    flags: number,
    count: number,
    room: number,
    length: number,
    now: number,
  ): number {
    const { journal, store } = this.#ledger;
    const to = beginRecord(journal, length, record.SEND, flags, count, queue.queueId, now);
    const { view } = journal;
    view.setFloat64(to + record.SEND_SEQUENCE_AT, store.nextSequence, true);
    view.setUint32(to + record.SEND_DELAY_AT, queue.settings.delayMs, true);
    view.setUint32(to + record.SEND_ROOM_AT, room, true);
    return to;
  }

  /** Each entry is looked up in the deduplication window, and only those that are new are written.
   *  The record is claimed for all of them; what duplicates leave is unused. */
  #sendFifo(
    queue: Queue,
    source: Buffer,
    view: DataView,
    at: number,
    end: number,
    count: number,
    now: number,
  ): void {
    const { store, table, journal } = this.#ledger;
    const { queueId, settings } = queue;
    const perGroup = settings.deduplicationPerGroup;
    const flags = record.FLAG_FIFO | (perGroup ? record.FLAG_DEDUP_PER_GROUP : 0);
    const entriesAt = record.SEND_SLOTS_AT + count * 4;
    store.dedup.expire(now, Number.POSITIVE_INFINITY);
    const to = this.#begin(queue, flags, count, count, entriesAt + (end - at), now);
    const { buffer, claimedPosition } = journal;
    let sequence = store.nextSequence;
    let accepted = 0;
    let target = to + entriesAt;
    let from = at;
    for (let i = 0; i < count; i++) {
      const bytes = view.getUint32(from + entry.ENTRY_BYTES_AT, true);
      const outcome = this.#admit(queue, perGroup, source, from, i, now);
      if (outcome === ACCEPTED) {
        copyBytes(source, from, from + bytes, buffer, target);
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
        this.sequences[i] = sequence++;
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
    this.uniform = accepted === count;
    this.total += accepted;
  }

  /** Decides on entry `i`, and notes the result of one that is not new. */
  #admit(
    queue: Queue,
    perGroup: boolean,
    source: Buffer,
    from: number,
    i: number,
    now: number,
  ): number {
    this.errors[i] = NO_ERROR;
    this.duplicates[i] = 0;
    if (source[from + entry.GROUP_BYTES_AT] === 0) {
      this.errors[i] = ERRORS.CAPSTAN_INVALID_ARGUMENT.number;
      return REFUSED;
    }
    if (source[from + entry.DEDUPLICATION_BYTES_AT] === 0) return ACCEPTED;
    const { store } = this.#ledger;
    const known = findDuplicate(store, queue.queueId, perGroup, source, from, now);
    if (known === NOT_FOUND) return ACCEPTED;
    this.duplicates[i] = 1;
    this.sequences[i] = store.dedup.sequence(known);
    store.dedup.copyMessageId(known, this.messageIds, i * entry.MESSAGE_ID_BYTES);
    return DUPLICATE;
  }
}
