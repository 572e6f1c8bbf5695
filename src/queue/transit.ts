/* FIFO messages on their way between two partitions: what a move finds that belongs to a group of
 * another one. Owned by the partition's thread.
 *
 * The partition that has such a message moves it to a transit queue of its own, one per partition
 * that it may have to go to. From then on the message is where it was sent: it only has to get
 * there. A router carries it over, as often as it takes:
 *
 *   here    the first messages of the transit queue are peeked at
 *   there   those beyond the last one known from here are taken over, in one record with its
 *           sequence
 *   here    up to that sequence they are deleted
 *
 * Key invariant: a transit queue is carried over in the order of its sequences, which are never
 * used twice. So one number per partition tells what is known, whatever is repeated after a crash,
 * and a group keeps its order. */

import { copyBytes } from '../base/bytes.ts';
import { ERRORS, NO_ERROR } from '../base/errors.ts';
import * as entry from '../command/message-entry.ts';
import { transitQueueId } from '../command/queue-definition.ts';
import * as record from './event-record.ts';
import { beginRecord } from './event-record.ts';
import { GROUP_WORDS, HEAD } from './group-table.ts';
import type { Ledger } from './ledger.ts';
import type { Queue } from './queue.ts';

export class Transit {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Moves a message of a group of `target` that lives on `partition` out of `queue`. */
  leave(queue: Queue, slot: number, target: Queue, partition: number, now: number): void {
    const transit = this.#ledger.store.obtain(transitQueueId(partition), true);
    this.#ledger.move(queue, slot, transit, target.queueId, true, now);
  }

  /** Messages on their way, to wherever. */
  get count(): number {
    let count = 0;
    for (const queue of this.#ledger.store.queues()) if (queue.transit) count += queue.messages;
    return count;
  }

  /** Deletes the messages of a transit queue up to `sequence`: they are known where they go. At
   *  most `max` of them; returns how many of the queue are left. */
  arrived(transitId: number, sequence: number, max: number, now: number): number {
    const { store, table, journal } = this.#ledger;
    const queue = store.find(transitId);
    if (queue === undefined) return 0;
    const head = queue.mainGroup * GROUP_WORDS + HEAD;
    const slots: number[] = [];
    let slot = store.groups.words[head]!;
    while (slot !== 0 && slots.length < max && table.sequence(slot) <= sequence) {
      slots.push(slot);
      slot = table.next(slot);
    }
    if (slots.length > 0) {
      const length = record.HEADER_BYTES + slots.length * record.REF_BYTES;
      const to = beginRecord(journal, length, record.DELETE, 0, slots.length, transitId, now);
      for (const [i, each] of slots.entries()) {
        this.#ledger.writeRef(to + record.HEADER_BYTES + i * record.REF_BYTES, each);
        store.remove(queue, each);
      }
      this.#ledger.syncNeeded = true;
    }
    return queue.messages;
  }

  /** Takes over `count` messages from `partition` for a queue: their sequences there lie from `at`
   *  on as f64, then their entries. Those that are known already are passed over. Durable, those
   *  included, with the turn's commit. Returns an error's number. */
  takeOver(
    queueId: number,
    partition: number,
    source: Buffer,
    view: DataView,
    at: number,
    count: number,
    now: number,
  ): number {
    const { store } = this.#ledger;
    const queue = store.find(queueId);
    if (queue === undefined || !queue.defined) return ERRORS.CAPSTAN_QUEUE_DOES_NOT_EXIST.number;
    const known = store.takenOver[partition]!;
    let first = 0;
    let from = at + count * 8;
    while (first < count && view.getFloat64(at + first * 8, true) <= known) {
      from += view.getUint32(from + entry.ENTRY_BYTES_AT, true);
      first++;
    }
    if (first === count) return NO_ERROR;
    let end = from;
    for (let i = first; i < count; i++) end += view.getUint32(end + entry.ENTRY_BYTES_AT, true);
    const newest = view.getFloat64(at + (count - 1) * 8, true);
    this.#insert(queue, partition, newest, source.subarray(from, end), count - first, now);
    return NO_ERROR;
  }

  #insert(
    queue: Queue,
    partition: number,
    newest: number,
    entries: Buffer,
    count: number,
    now: number,
  ): void {
    const { journal, store, table } = this.#ledger;
    const room = count + record.TAKEN_OVER_SLOTS;
    const entriesAt = record.SEND_SLOTS_AT + room * 4;
    const flags = record.FLAG_FIFO | record.FLAG_TAKEN_OVER;
    const length = entriesAt + entries.length;
    const to = beginRecord(journal, length, record.SEND, flags, count, queue.queueId, now);
    const { buffer, view, claimedPosition } = journal;
    view.setFloat64(to + record.SEND_SEQUENCE_AT, store.nextSequence, true);
    view.setUint32(to + record.SEND_DELAY_AT, 0, true);
    view.setUint16(to + record.SEND_ROOM_AT, room, true);
    view.setUint16(to + record.SEND_PARTITION_AT, partition, true);
    view.setFloat64(to + record.SEND_SLOTS_AT + count * 4, newest, true);
    copyBytes(entries, 0, entries.length, buffer, to + entriesAt);
    let from = to + entriesAt;
    for (let i = 0; i < count; i++) {
      const slot = table.allocate();
      view.setUint32(to + record.SEND_SLOTS_AT + i * 4, slot, true);
      const bytes = view.getUint32(from + entry.ENTRY_BYTES_AT, true);
      const group = store.groupOfEntry(queue, buffer, from);
      const position = claimedPosition + (from - to);
      store.insert(queue, slot, position, store.nextSequence++, now, bytes, group, now);
      from += bytes;
    }
    store.takenOver[partition] = newest;
    this.#ledger.syncNeeded = true;
  }
}
