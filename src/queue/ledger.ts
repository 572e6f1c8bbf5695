/* What every decision needs: the store that it changes, the journal that it is written to, and the
 * steps that more than one command takes. Owned by the partition's thread.
 *
 * Key invariant: a record is claimed before anything is changed. A claim that throws (the disk is
 * full) leaves the state as it was. */

import { isDiskFull } from '../base/errors.ts';
import * as record from './event-record.ts';
import { beginRecord, type Journal } from './event-record.ts';
import { GROUP_WORDS, HEAD } from './group-table.ts';
import type { MessageStore } from './message-store.ts';
import { GROUP, type MessageTable, ROW_WORDS } from './message-table.ts';
import type { Queue } from './queue.ts';

/** Deadlines that are passed in one turn, at most: bounds how long a turn takes. */
const DEADLINES_PER_TURN_MAX = 10_000;
/** How long deadlines that need space wait before they try again. */
const FULL_DISK_PAUSE_MS = 100;

export class Ledger {
  readonly store: MessageStore;
  readonly table: MessageTable;
  readonly journal: Journal;
  /** A record was written whose durability a reply promises. */
  syncNeeded = false;

  constructor(store: MessageStore, journal: Journal) {
    this.store = store;
    this.table = store.table;
    this.journal = journal;
  }

  /** Writes the ref of the message in `slot`; see event-record.ts. */
  writeRef(at: number, slot: number): void {
    this.journal.view.setUint32(at, slot, true);
    this.journal.view.setUint32(at + 4, this.table.sequence(slot) >>> 0, true);
  }

  /** True when the message must not be delivered any more. */
  isUnfit(queue: Queue, slot: number, now: number): boolean {
    return this.store.isPastRetention(queue, slot, now) || this.store.isExhausted(queue, slot);
  }

  /** Has the first message of the ring one that may be delivered, if there is such a one. */
  clearHead(queue: Queue, now: number, max: number): number {
    const { groups } = this.store;
    for (let cleared = 0; cleared < max; cleared++) {
      if (queue.ringHead === 0) return cleared;
      const slot = groups.words[queue.ringHead * GROUP_WORDS + HEAD]!;
      if (this.store.isPastRetention(queue, slot, now)) this.#expire(queue, slot, now);
      else if (this.store.isExhausted(queue, slot)) this.#deadLetter(queue, slot, now);
      else return cleared;
    }
    return max;
  }

  #expire(queue: Queue, slot: number, now: number): void {
    const length = record.HEADER_BYTES + record.REF_BYTES;
    const to = beginRecord(this.journal, length, record.DELETE, 0, 1, queue.queueId, now);
    this.writeRef(to + record.HEADER_BYTES, slot);
    this.store.remove(queue, slot);
  }

  #deadLetter(queue: Queue, slot: number, now: number): void {
    const target = this.store.find(queue.settings.deadLetterQueueId)!;
    // A receipt of the source finds nothing from here on, and a delete by it succeeds: that must
    // not be undone.
    this.syncNeeded = true;
    // Rule: SQS; on FIFO queues the dead-letter queue's retention starts anew.
    this.move(queue, slot, target, queue.queueId, target.fifo, now);
  }

  /** Moves one message to `target`, where it was never received. */
  move(
    queue: Queue,
    slot: number,
    target: Queue,
    source: number,
    asNew: boolean,
    now: number,
  ): void {
    const { journal, store } = this;
    const length = record.MOVE_REFS_AT + record.REF_BYTES;
    const flags = asNew ? record.FLAG_AS_NEW : 0;
    const to = beginRecord(journal, length, record.MOVE, flags, 1, target.queueId, now);
    journal.view.setFloat64(to + record.MOVE_SEQUENCE_AT, store.nextSequence, true);
    journal.view.setUint32(to + record.MOVE_SOURCE_AT, source, true);
    this.writeRef(to + record.MOVE_REFS_AT, slot);
    const sentAt = asNew ? now : this.table.sentAt(slot);
    store.moveTo(queue, slot, target, store.nextSequence++, sentAt, source);
  }

  /** Does what deadlines up to `now` bring, as far as one turn has time for it. When the disk is
   *  full, messages that are to go to a dead-letter queue stay in flight a little longer; the
   *  others go on. */
  passDeadlines(now: number): void {
    const { heap } = this.store;
    let full = false;
    for (let left = DEADLINES_PER_TURN_MAX; left > 0 && heap.earliest <= now; left--) {
      let slot = this.store.passDeadline(now);
      while (slot !== 0) {
        const next: number | undefined = full ? undefined : this.#tryDeadLetter(slot, now);
        full = next === undefined;
        if (full && this.store.isInFlight(slot)) heap.move(slot, now + FULL_DISK_PAUSE_MS);
        slot = next ?? 0;
      }
    }
  }

  /** Returns the message that goes to the dead-letter queue because this one went, or 0; undefined
   *  when the disk is full. */
  #tryDeadLetter(slot: number, now: number): number | undefined {
    const { store, table } = this;
    const queue = store.queueOf(slot);
    const group = table.words[slot * ROW_WORDS + GROUP]!;
    try {
      this.#deadLetter(queue, slot, now);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return undefined;
    }
    return queue.fifo ? store.exhaustedHead(queue, group) : 0;
  }
}
