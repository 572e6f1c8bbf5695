/* What receipts are good for: deletes and visibility changes. Each receipt is held against the
 * message as it stands. Owned by the partition's thread. */

import { ERRORS, NO_ERROR } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX, VISIBILITY_TIMEOUT_MS_MAX } from '../base/limits.ts';
import { RECEIPT_BYTES } from '../command/receipt.ts';
import * as record from './event-record.ts';
import { beginRecord } from './event-record.ts';
import type { Ledger } from './ledger.ts';
import type { Queue } from './queue.ts';

const QUEUE_DOES_NOT_EXIST = ERRORS.CAPSTAN_QUEUE_DOES_NOT_EXIST.number;
const NOT_IN_FLIGHT = ERRORS.CAPSTAN_MESSAGE_NOT_IN_FLIGHT.number;
const INVALID_ARGUMENT = ERRORS.CAPSTAN_INVALID_ARGUMENT.number;

/** The latest receive is remembered to a second. */
const TOTAL_VISIBILITY_SLACK_MS = 1000;
const VISIBILITY_ARGUMENT_BYTES = RECEIPT_BYTES + 4;

export class ReceiptChanges {
  readonly #ledger: Ledger;
  /** What became of each receipt of the last call: an error's number. */
  readonly results = new Uint8Array(BATCH_ENTRIES_MAX);
  /** Messages deleted since the start. */
  deletedTotal = 0;
  readonly #slots = new Uint32Array(BATCH_ENTRIES_MAX);

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Deletes the messages of `count` receipts that lie from `at` on. Those that are gone already
   *  succeed. Rule: SQS DeleteMessage. */
  delete(queueId: number, view: DataView, at: number, count: number, now: number): void {
    const queue = this.#definedQueue(queueId, count);
    if (queue === undefined) return;
    let found = 0;
    for (let i = 0; i < count; i++) {
      const from = at + i * RECEIPT_BYTES;
      const slot = view.getUint32(from, true);
      this.results[i] = NO_ERROR;
      if (this.#ledger.store.lookUp(slot, view.getUint32(from + 4, true)) !== queue) continue;
      // On a standard queue any delivery's receipt serves. Rule: SQS.
      if (queue.fifo && !this.#isHeld(slot, view.getUint32(from + 8, true))) {
        this.results[i] = NOT_IN_FLIGHT;
      } else {
        this.#slots[found++] = slot;
      }
    }
    if (found > 0) this.#deleteFound(queue, found, now);
  }

  /** Undefined: there is no such queue, and that is the result of all `count` receipts. */
  #definedQueue(queueId: number, count: number): Queue | undefined {
    const queue = this.#ledger.store.find(queueId);
    if (queue?.defined === true) return queue;
    this.results.fill(QUEUE_DOES_NOT_EXIST, 0, count);
    return undefined;
  }

  #isHeld(slot: number, delivery: number): boolean {
    return this.#ledger.store.isInFlight(slot) && this.#ledger.table.delivery(slot) === delivery;
  }

  #deleteFound(queue: Queue, found: number, now: number): void {
    const { store, table, journal } = this.#ledger;
    const length = record.HEADER_BYTES + found * record.REF_BYTES;
    const to = beginRecord(journal, length, record.DELETE, 0, found, queue.queueId, now);
    const { view } = journal;
    let ref = to + record.HEADER_BYTES;
    for (let i = 0; i < found; i++) {
      const slot = this.#slots[i]!;
      const sequenceLow = table.sequence(slot) >>> 0;
      view.setUint32(ref, slot, true);
      view.setUint32(ref + 4, sequenceLow, true);
      ref += record.REF_BYTES;
      // The same receipt may stand twice in one batch.
      if (store.lookUp(slot, sequenceLow) === undefined) continue;
      store.remove(queue, slot);
      this.deletedTotal++;
    }
    this.#ledger.syncNeeded = true;
  }

  /** Moves visibility deadlines; see command-codec.ts for what lies at `at`. */
  changeVisibility(queueId: number, view: DataView, at: number, count: number, now: number): void {
    const queue = this.#definedQueue(queueId, count);
    if (queue === undefined) return;
    let found = 0;
    for (let i = 0; i < count; i++) {
      const from = at + i * VISIBILITY_ARGUMENT_BYTES;
      const result = this.#checkChange(queue, view, from, now);
      this.results[i] = result;
      if (result === NO_ERROR) this.#slots[found++] = i;
    }
    if (found === 0) return;
    const { journal, store } = this.#ledger;
    const length = record.HEADER_BYTES + found * record.VISIBILITY_REF_BYTES;
    const to = beginRecord(journal, length, record.VISIBILITY, 0, found, queueId, now);
    for (let i = 0; i < found; i++) {
      const from = at + this.#slots[i]! * VISIBILITY_ARGUMENT_BYTES;
      const slot = view.getUint32(from, true);
      const timeoutMs = view.getUint32(from + RECEIPT_BYTES, true);
      const ref = to + record.HEADER_BYTES + i * record.VISIBILITY_REF_BYTES;
      this.#ledger.writeRef(ref, slot);
      journal.view.setUint32(ref + 8, timeoutMs, true);
      store.setDeadline(slot, now + timeoutMs);
    }
    this.#ledger.syncNeeded = true;
    this.#ledger.passDeadlines(now);
  }

  #checkChange(queue: Queue, view: DataView, from: number, now: number): number {
    const slot = view.getUint32(from, true);
    const held =
      this.#ledger.store.lookUp(slot, view.getUint32(from + 4, true)) === queue &&
      this.#isHeld(slot, view.getUint32(from + 8, true));
    if (!held) return NOT_IN_FLIGHT;
    const until = now + view.getUint32(from + RECEIPT_BYTES, true);
    // Rule: SQS, 12 hours from the receive in total.
    const latest =
      this.#ledger.table.lastReceivedAt(slot) +
      VISIBILITY_TIMEOUT_MS_MAX +
      TOTAL_VISIBILITY_SLACK_MS;
    return until > latest ? INVALID_ARGUMENT : NO_ERROR;
  }
}
