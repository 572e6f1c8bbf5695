/* The state of a partition, and everything that can be asked of it. Each command is checked against
 * the store, written as a record, and done to the store; time comes in as `now`. Owned by the
 * partition's thread. */

import { ERRORS, isDiskFull } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../base/limits.ts';
import { isTransitQueueId, type QueueSettings } from '../command/queue-definition.ts';
import * as record from './event-record.ts';
import { beginRecord, type Journal } from './event-record.ts';
import { GROUP_WORDS, HEAD } from './group-table.ts';
import { Ledger } from './ledger.ts';
import type { MessageStore } from './message-store.ts';
import type { MessageTable } from './message-table.ts';
import { oldestSentAt, peekAt } from './peek.ts';
import type { Queue } from './queue.ts';
import { ReceiptChanges } from './receipt-changes.ts';
import { Receiving } from './receiving.ts';
import { Sending } from './sending.ts';
import { Transit } from './transit.ts';

/** Dead rows given back in one turn. */
const GRAVES_PER_TURN_MAX = 10_000;

export interface MoveResult {
  moved: number;
  /** Messages of the source that are still visible. */
  left: number;
  /** Of those looked at: the queue they came from is gone or unknown. */
  stranded: number;
  /** On their way to another partition, whatever moved them. */
  inTransit: number;
}

/** The partition where `target` has the group of the message in `slot`; undefined: this one. */
export type PlaceOf = (target: Queue, slot: number) => number | undefined;

export class QueueState {
  readonly store: MessageStore;
  readonly table: MessageTable;
  readonly journal: Journal;
  readonly sending: Sending;
  readonly receiving: Receiving;
  readonly receipts: ReceiptChanges;
  readonly moveResult: MoveResult = { moved: 0, left: 0, stranded: 0, inTransit: 0 };
  readonly transit: Transit;
  readonly #ledger: Ledger;
  #sweepQueues: Iterator<Queue> | undefined;

  constructor(store: MessageStore, journal: Journal) {
    this.store = store;
    this.table = store.table;
    this.journal = journal;
    this.#ledger = new Ledger(store, journal);
    this.sending = new Sending(this.#ledger);
    this.receiving = new Receiving(this.#ledger);
    this.receipts = new ReceiptChanges(this.#ledger);
    this.transit = new Transit(this.#ledger);
  }

  /** A record was written since this was last asked whose durability a reply promises. */
  takeSyncNeeded(): boolean {
    const needed = this.#ledger.syncNeeded;
    this.#ledger.syncNeeded = false;
    return needed;
  }

  // Queues.

  define(settings: QueueSettings): void {
    this.store.define(settings);
  }

  /** Removes every message of a queue that was sent before. */
  purge(queueId: number, now: number): void {
    const queue = this.store.find(queueId);
    if (queue === undefined || queue.messages === 0) return;
    beginRecord(this.journal, record.HEADER_BYTES, record.PURGE, 0, 0, queueId, now);
    this.store.purge(queue);
    this.#ledger.syncNeeded = true;
  }

  /** Forgets a queue and all of its messages. */
  drop(queueId: number, now: number): void {
    const queue = this.store.find(queueId);
    if (queue === undefined) return;
    beginRecord(this.journal, record.HEADER_BYTES, record.DROP, 0, 0, queueId, now);
    this.store.drop(queue);
    this.#ledger.syncNeeded = true;
  }

  /** Drops the queues that only the log knew: they were deleted while the partition did not run.
   *  With a full disk they stay until the next start; nobody can see them. */
  #dropUnknownQueues(now: number): void {
    const unknown = [...this.store.queues()].filter((each) => !each.defined && !each.transit);
    try {
      for (const { queueId } of unknown) this.drop(queueId, now);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  /** Moves up to `max` visible messages of a dead-letter queue: to `destinationId`, or with 0 each
   *  to the queue it came from. Those that belong to another partition are on their way there. */
  move(sourceId: number, destinationId: number, max: number, placeOf: PlaceOf, now: number): void {
    const { store, table } = this.#ledger;
    const result = this.moveResult;
    result.moved = 0;
    result.stranded = 0;
    result.left = 0;
    const queue = store.find(sourceId);
    if (queue === undefined) {
      result.inTransit = this.transit.count;
      return;
    }
    const limit = Math.min(max, queue.ready);
    for (let looked = 0; looked < limit && queue.ringHead !== 0; looked++) {
      const slot = store.groups.words[queue.ringHead * GROUP_WORDS + HEAD]!;
      const targetId = destinationId === 0 ? table.source(slot) : destinationId;
      const target = store.find(targetId);
      if (target === undefined || !target.defined || target.fifo !== queue.fifo) {
        result.stranded++;
        store.putLast(queue, slot);
      } else {
        const elsewhere = placeOf(target, slot);
        if (elsewhere === undefined) this.#ledger.move(queue, slot, target, 0, true, now);
        else this.transit.leave(queue, slot, target, elsewhere, now);
        result.moved++;
      }
      queue.turnRing(store.groups);
    }
    result.left = queue.visible;
    result.inTransit = this.transit.count;
    if (result.moved > 0) this.#ledger.syncNeeded = true;
  }

  // Looking.

  /** Up to `max` messages as they stand, into `receiving.slots`. */
  peek(queueId: number, max: number, bytesMax: number): number {
    const queue = this.store.find(queueId);
    if (isTransitQueueId(queueId) && queue === undefined) return 0;
    if (queue === undefined || !(queue.defined || queue.transit)) {
      return -ERRORS.CAPSTAN_QUEUE_DOES_NOT_EXIST.number;
    }
    return peekAt(
      this.store,
      queue,
      Math.min(max, BATCH_ENTRIES_MAX),
      bytesMax,
      this.receiving.slots,
    );
  }

  inspect(queueId: number): {
    visible: number;
    inFlight: number;
    delayed: number;
    oldestSentAt: number;
  } {
    const queue = this.store.find(queueId);
    if (queue === undefined) return { visible: 0, inFlight: 0, delayed: 0, oldestSentAt: 0 };
    const { visible, inFlight, delayed } = queue;
    return {
      visible,
      inFlight,
      delayed,
      oldestSentAt: oldestSentAt(this.store, queue),
    };
  }

  // Time.

  /** Does what is due at `now`, as far as one turn has time for it. */
  tick(now: number): void {
    if (this.store.hasGraves) this.store.dig(GRAVES_PER_TURN_MAX);
    this.#ledger.passDeadlines(now);
  }

  /** When something is due next; Infinity when nothing is. */
  nextDeadline(): number {
    return this.store.hasGraves ? 0 : this.store.heap.earliest;
  }

  /** Expires what is past its retention at the heads of some queues, going round all of them. Looks
   *  at `max` groups, and expires no more messages than that. */
  sweep(now: number, max: number): void {
    const queues = this.store.queues();
    let left = max;
    for (let visited = 0; left > 0; visited++) {
      this.#sweepQueues ??= queues;
      const next = this.#sweepQueues.next();
      if (next.done === true) {
        this.#sweepQueues = undefined;
        return;
      }
      left -= 1 + this.#sweepQueue(next.value, now, left);
    }
  }

  #sweepQueue(queue: Queue, now: number, max: number): number {
    if (!queue.defined) return 0;
    let work = 0;
    for (let group = queue.ringLength; group > 0 && work < max; group--) {
      work += 1 + this.#ledger.clearHead(queue, now, max - work);
      queue.turnRing(this.store.groups);
    }
    return work;
  }

  /** Ends a replay: the state is what the log says, and from here on time goes on. */
  recovered(now: number): void {
    this.table.rebuildFreeList();
    this.#dropUnknownQueues(now);
    this.store.dig(Number.POSITIVE_INFINITY);
    while (this.store.heap.earliest <= now) this.#ledger.passDeadlines(now);
  }
}
