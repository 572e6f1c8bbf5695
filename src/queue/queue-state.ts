/* What a partition decides: each command is checked against the store, written as a record, and done
 * to the store. Time comes in as `now`. Owned by the partition's thread.
 *
 * Key invariant: a record is claimed before anything is changed. A claim that throws (the disk is
 * full) leaves the state as it was. Results lie in typed arrays that the next command overwrites. */

import { ERRORS, NO_ERROR } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX, VISIBILITY_TIMEOUT_MS_MAX } from '../base/limits.ts';
import { DELIVERY_HEADER_BYTES, TIMEOUT_OF_QUEUE } from '../command/command-codec.ts';
import * as entry from '../command/message-entry.ts';
import type { QueueSettings } from '../command/queue-definition.ts';
import { RECEIPT_BYTES } from '../command/receipt.ts';
import * as record from './event-record.ts';
import { beginRecord, type Journal } from './event-record.ts';
import { GROUP_WORDS, HEAD } from './group-table.ts';
import type { MessageStore } from './message-store.ts';
import { type MessageTable, READY } from './message-table.ts';
import { peekAt } from './peek.ts';
import type { Queue } from './queue.ts';
import type { AttemptedMessage } from './receive-attempts.ts';
import { sendFifo } from './send-fifo.ts';

const QUEUE_DOES_NOT_EXIST = ERRORS.CAPSTAN_QUEUE_DOES_NOT_EXIST.number;
const OVER_LIMIT = ERRORS.CAPSTAN_OVER_LIMIT.number;
const NOT_IN_FLIGHT = ERRORS.CAPSTAN_MESSAGE_NOT_IN_FLIGHT.number;
const INVALID_ARGUMENT = ERRORS.CAPSTAN_INVALID_ARGUMENT.number;

/** Deadlines that are passed in one turn, at most: bounds how long a turn takes. */
const DEADLINES_PER_TURN_MAX = 10_000;
/** Dead rows given back in one turn. */
const GRAVES_PER_TURN_MAX = 10_000;
/** Messages that one receive may find expired or exhausted before it gives up for the time being. */
const CLEARED_PER_RECEIVE_MAX = 10_000;
/** The latest receive is remembered to a second. */
const TOTAL_VISIBILITY_SLACK_MS = 1000;
const NO_ATTEMPT = 0;
const VISIBILITY_ARGUMENT_BYTES = RECEIPT_BYTES + 4;

export interface MoveResult {
  moved: number;
  /** Messages of the source that are still visible. */
  left: number;
  /** Of those looked at: the queue they came from is gone or unknown. */
  stranded: number;
}

export class QueueState {
  readonly store: MessageStore;
  readonly table: MessageTable;
  readonly journal: Journal;
  /** A record was written whose durability a reply promises. */
  syncNeeded = false;
  /** Of a queue, by its board row: messages in flight in the other partitions. */
  inFlightElsewhere: (boardRow: number) => number = () => 0;

  // What the last send came to.
  /** All were accepted, with sequences that follow `sentSequences[0]`. */
  sentUniformly = true;
  readonly sentErrors = new Uint8Array(BATCH_ENTRIES_MAX);
  readonly sentDuplicates = new Uint8Array(BATCH_ENTRIES_MAX);
  readonly sentSequences = new Float64Array(BATCH_ENTRIES_MAX);
  /** Of duplicates: the id of the message accepted first. */
  readonly sentMessageIds = Buffer.alloc(BATCH_ENTRIES_MAX * entry.MESSAGE_ID_BYTES);

  /** What the last receive or peek found. */
  readonly deliveredSlots = new Uint32Array(BATCH_ENTRIES_MAX);
  /** What became of each receipt of the last delete or visibility change: an error's number. */
  readonly results = new Uint8Array(BATCH_ENTRIES_MAX);
  readonly moveResult: MoveResult = { moved: 0, left: 0, stranded: 0 };
  readonly #slots = new Uint32Array(BATCH_ENTRIES_MAX);

  // Totals since the start.
  sentTotal = 0;
  receivedTotal = 0;
  deletedTotal = 0;

  #sweepQueues: Iterator<Queue> | undefined;

  constructor(store: MessageStore, journal: Journal) {
    this.store = store;
    this.table = store.table;
    this.journal = journal;
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
    this.syncNeeded = true;
  }

  /** Forgets a queue and all of its messages. */
  drop(queueId: number, now: number): void {
    const queue = this.store.find(queueId);
    if (queue === undefined) return;
    beginRecord(this.journal, record.HEADER_BYTES, record.DROP, 0, 0, queueId, now);
    this.store.drop(queue);
    this.syncNeeded = true;
  }

  /** Drops the queues that only the log knew: they were deleted while the partition did not run. */
  dropUnknownQueues(now: number): void {
    for (const queue of [...this.store.queues()]) if (!queue.defined) this.drop(queue.queueId, now);
  }

  // Send.

  /** Takes `count` entries that lie back to back from `at` on. */
  send(
    queueId: number,
    source: Buffer,
    view: DataView,
    at: number,
    count: number,
    now: number,
  ): void {
    const queue = this.store.find(queueId);
    if (queue === undefined || !queue.defined) {
      this.sentUniformly = false;
      this.sentErrors.fill(QUEUE_DOES_NOT_EXIST, 0, count);
      this.sentDuplicates.fill(0, 0, count);
      return;
    }
    let end = at;
    for (let i = 0; i < count; i++) end += view.getUint32(end + entry.ENTRY_BYTES_AT, true);
    if (queue.fifo) sendFifo(this, queue, source, view, at, end, count, now);
    else this.#sendStandard(queue, source, at, end, count, now);
    this.syncNeeded = true;
  }

  #sendStandard(
    queue: Queue,
    source: Buffer,
    at: number,
    end: number,
    count: number,
    now: number,
  ): void {
    const { journal, store, table } = this;
    const { delayMs } = queue.settings;
    const entriesAt = record.SEND_SLOTS_AT + count * 4;
    const to = this.beginSend(queue, 0, count, count, entriesAt + (end - at), now);
    const { buffer, view, claimedPosition } = journal;
    source.copy(buffer, to + entriesAt, at, end);
    let sequence = store.nextSequence;
    this.sentUniformly = true;
    this.sentSequences[0] = sequence;
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
    this.sentTotal += count;
  }

  /** Claims a SEND record of `length` bytes with room for `room` slots; returns its offset. */
  beginSend(
    queue: Queue,
    flags: number,
    count: number,
    room: number,
    length: number,
    now: number,
  ): number {
    const { journal } = this;
    const to = beginRecord(journal, length, record.SEND, flags, count, queue.queueId, now);
    const { view } = journal;
    view.setFloat64(to + record.SEND_SEQUENCE_AT, this.store.nextSequence, true);
    view.setUint32(to + record.SEND_DELAY_AT, queue.settings.delayMs, true);
    view.setUint32(to + record.SEND_ROOM_AT, room, true);
    return to;
  }

  // Receive.

  /** Delivers up to `max` messages whose entries and headers fit `bytesMax` (one always does). Returns
   *  how many, in `deliveredSlots`; or an error's number, negative. */
  receive(
    queueId: number,
    max: number,
    bytesMax: number,
    timeoutMs: number,
    attempt: number,
    now: number,
  ): number {
    const queue = this.store.find(queueId);
    if (queue === undefined || !queue.defined) return -QUEUE_DOES_NOT_EXIST;
    const ownTimeout = timeoutMs === TIMEOUT_OF_QUEUE;
    const deadline = now + (ownTimeout ? queue.settings.visibilityTimeoutMs : timeoutMs);
    if (queue.fifo && attempt !== NO_ATTEMPT) {
      const repeated = this.#repeatAttempt(queue, attempt, deadline, now);
      if (repeated > 0) return repeated;
    }
    const { inFlightMax } = queue.settings;
    const room = inFlightMax - queue.inFlight - this.inFlightElsewhere(queue.boardRow);
    // Rule: SQS answers OverLimit on standard queues only.
    if (room <= 0) return queue.fifo ? 0 : -OVER_LIMIT;
    // Those that are left to clear are cleared by the receives that follow.
    if (this.#clearHead(queue, now, CLEARED_PER_RECEIVE_MAX) === CLEARED_PER_RECEIVE_MAX) return 0;
    const limit = Math.min(max, queue.ready, room, BATCH_ENTRIES_MAX);
    if (limit <= 0) return 0;
    const length = record.RECEIVE_REFS_AT + limit * record.REF_BYTES;
    const to = beginRecord(this.journal, length, record.RECEIVE, 0, 0, queueId, now);
    const { view } = this.journal;
    view.setFloat64(to + record.RECEIVE_DEADLINE_AT, deadline, true);
    view.setFloat64(to + record.RECEIVE_ATTEMPT_AT, queue.fifo ? attempt : NO_ATTEMPT, true);
    const count = queue.fifo
      ? this.#gatherFifo(queue, limit, bytesMax, now, deadline)
      : this.#gatherStandard(queue, limit, bytesMax, now, deadline);
    view.setUint16(to + record.COUNT_AT, count, true);
    this.#writeRefs(to + record.RECEIVE_REFS_AT, count);
    if (queue.fifo) this.#noteFifoReceive(queue, attempt, count, now);
    this.receivedTotal += count;
    return count;
  }

  #noteFifoReceive(queue: Queue, attempt: number, count: number, now: number): void {
    this.syncNeeded = true;
    if (attempt === NO_ATTEMPT || count === 0) return;
    const messages: AttemptedMessage[] = [];
    for (let i = 0; i < count; i++) {
      const slot = this.deliveredSlots[i]!;
      const delivery = this.table.delivery(slot);
      messages.push({ slot, sequence: this.table.sequence(slot), delivery });
    }
    this.store.attempts.add(queue.queueId, attempt, now, messages);
  }

  #writeRefs(at: number, count: number): void {
    const { view } = this.journal;
    for (let i = 0; i < count; i++) {
      const slot = this.deliveredSlots[i]!;
      view.setUint32(at + i * record.REF_BYTES, slot, true);
      view.setUint32(at + i * record.REF_BYTES + 4, this.table.sequence(slot) >>> 0, true);
    }
  }

  /** One message of each group in turn: no group waits for another's backlog. */
  #gatherStandard(
    queue: Queue,
    limit: number,
    bytesMax: number,
    now: number,
    deadline: number,
  ): number {
    const { store, table, deliveredSlots } = this;
    const { groups } = store;
    let bytes = 0;
    let count = 0;
    while (count < limit) {
      const slot = groups.words[queue.ringHead * GROUP_WORDS + HEAD]!;
      bytes += DELIVERY_HEADER_BYTES + table.entryBytes(slot);
      if (count > 0 && (bytes > bytesMax || this.#isUnfit(queue, slot, now))) break;
      queue.turnRing(groups);
      store.deliver(queue, slot, now, deadline);
      deliveredSlots[count++] = slot;
    }
    return count;
  }

  /** As many as there are of one group, in order, before the next one. */
  #gatherFifo(
    queue: Queue,
    limit: number,
    bytesMax: number,
    now: number,
    deadline: number,
  ): number {
    const { store, table, deliveredSlots } = this;
    const { groups } = store;
    let bytes = 0;
    let count = 0;
    while (queue.ringHead !== 0) {
      const head = queue.ringHead * GROUP_WORDS + HEAD;
      for (;;) {
        const slot = groups.words[head]!;
        if (slot === 0 || table.state(slot) !== READY) break;
        bytes += DELIVERY_HEADER_BYTES + table.entryBytes(slot);
        if (count === limit) return count;
        if (count > 0 && (bytes > bytesMax || this.#isUnfit(queue, slot, now))) return count;
        store.deliver(queue, slot, now, deadline);
        deliveredSlots[count++] = slot;
      }
    }
    return count;
  }

  #isUnfit(queue: Queue, slot: number, now: number): boolean {
    return this.store.isPastRetention(queue, slot, now) || this.store.isExhausted(queue, slot);
  }

  /** Has the first message of the ring one that may be delivered, if there is such a one. */
  #clearHead(queue: Queue, now: number, max: number): number {
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
    this.#writeRef(to + record.HEADER_BYTES, slot);
    this.store.remove(queue, slot);
  }

  #writeRef(at: number, slot: number): void {
    this.journal.view.setUint32(at, slot, true);
    this.journal.view.setUint32(at + 4, this.table.sequence(slot) >>> 0, true);
  }

  #repeatAttempt(queue: Queue, attempt: number, deadline: number, now: number): number {
    const messages = this.store.attempts.find(queue.queueId, attempt, now);
    if (messages === undefined) return 0;
    for (const { slot, sequence, delivery } of messages) {
      const held =
        this.store.lookUp(slot, sequence >>> 0) === queue &&
        this.store.isInFlight(slot) &&
        this.table.delivery(slot) === delivery;
      if (!held) return 0;
    }
    const count = messages.length;
    const length = record.HEADER_BYTES + count * record.VISIBILITY_REF_BYTES;
    const { queueId } = queue;
    const to = beginRecord(this.journal, length, record.VISIBILITY, 0, count, queueId, now);
    messages.forEach(({ slot }, i) => {
      const at = to + record.HEADER_BYTES + i * record.VISIBILITY_REF_BYTES;
      this.#writeRef(at, slot);
      this.journal.view.setUint32(at + 8, deadline - now, true);
      this.store.setDeadline(slot, deadline);
      this.deliveredSlots[i] = slot;
    });
    this.syncNeeded = true;
    return count;
  }

  // Receipts.

  /** Deletes the messages of `count` receipts that lie from `at` on. Those that are gone already
   *  succeed. Rule: SQS DeleteMessage. */
  delete(
    queueId: number,
    _source: Buffer,
    view: DataView,
    at: number,
    count: number,
    now: number,
  ): void {
    const queue = this.store.find(queueId);
    if (queue === undefined || !queue.defined) {
      this.results.fill(QUEUE_DOES_NOT_EXIST, 0, count);
      return;
    }
    let found = 0;
    for (let i = 0; i < count; i++) {
      const from = at + i * RECEIPT_BYTES;
      const slot = view.getUint32(from, true);
      this.results[i] = NO_ERROR;
      if (this.store.lookUp(slot, view.getUint32(from + 4, true)) !== queue) continue;
      // On a standard queue any delivery's receipt serves. Rule: SQS.
      if (queue.fifo && !this.#isHeld(slot, view.getUint32(from + 8, true))) {
        this.results[i] = NOT_IN_FLIGHT;
      } else {
        this.#slots[found++] = slot;
      }
    }
    if (found > 0) this.#deleteFound(queue, found, now);
  }

  #isHeld(slot: number, delivery: number): boolean {
    return this.store.isInFlight(slot) && this.table.delivery(slot) === delivery;
  }

  #deleteFound(queue: Queue, found: number, now: number): void {
    const { store, table, journal } = this;
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
    this.syncNeeded = true;
  }

  /** Moves visibility deadlines; see command-codec.ts for what lies at `at`. */
  changeVisibility(
    queueId: number,
    _source: Buffer,
    view: DataView,
    at: number,
    count: number,
    now: number,
  ): void {
    const queue = this.store.find(queueId);
    if (queue === undefined || !queue.defined) {
      this.results.fill(QUEUE_DOES_NOT_EXIST, 0, count);
      return;
    }
    let found = 0;
    for (let i = 0; i < count; i++) {
      const from = at + i * VISIBILITY_ARGUMENT_BYTES;
      const result = this.#checkChange(queue, view, from, now);
      this.results[i] = result;
      if (result === NO_ERROR) this.#slots[found++] = i;
    }
    if (found === 0) return;
    const { journal, store } = this;
    const length = record.HEADER_BYTES + found * record.VISIBILITY_REF_BYTES;
    const to = beginRecord(journal, length, record.VISIBILITY, 0, found, queueId, now);
    for (let i = 0; i < found; i++) {
      const from = at + this.#slots[i]! * VISIBILITY_ARGUMENT_BYTES;
      const slot = view.getUint32(from, true);
      const timeoutMs = view.getUint32(from + RECEIPT_BYTES, true);
      const ref = to + record.HEADER_BYTES + i * record.VISIBILITY_REF_BYTES;
      this.#writeRef(ref, slot);
      journal.view.setUint32(ref + 8, timeoutMs, true);
      store.setDeadline(slot, now + timeoutMs);
    }
    this.syncNeeded = true;
    this.#passDeadlines(now);
  }

  #checkChange(queue: Queue, view: DataView, from: number, now: number): number {
    const slot = view.getUint32(from, true);
    const held =
      this.store.lookUp(slot, view.getUint32(from + 4, true)) === queue &&
      this.#isHeld(slot, view.getUint32(from + 8, true));
    if (!held) return NOT_IN_FLIGHT;
    const until = now + view.getUint32(from + RECEIPT_BYTES, true);
    // Rule: SQS, 12 hours from the receive in total.
    const latest =
      this.table.lastReceivedAt(slot) + VISIBILITY_TIMEOUT_MS_MAX + TOTAL_VISIBILITY_SLACK_MS;
    return until > latest ? INVALID_ARGUMENT : NO_ERROR;
  }

  // Dead letters, and back.

  #deadLetter(queue: Queue, slot: number, now: number): void {
    const target = this.store.find(queue.settings.deadLetterQueueId)!;
    // Rule: SQS; on FIFO queues the dead-letter queue's retention starts anew.
    this.#move(queue, slot, target, queue.queueId, target.fifo, now);
  }

  #move(
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
    this.#writeRef(to + record.MOVE_REFS_AT, slot);
    const sentAt = asNew ? now : this.table.sentAt(slot);
    store.moveTo(queue, slot, target, store.nextSequence++, sentAt, source);
  }

  /** Moves up to `max` visible messages of a dead-letter queue: to `destinationId`, or with 0 each to
   *  the queue it came from. */
  move(sourceId: number, destinationId: number, max: number, now: number): void {
    const result = this.moveResult;
    result.moved = 0;
    result.stranded = 0;
    result.left = 0;
    const queue = this.store.find(sourceId);
    if (queue === undefined) return;
    const limit = Math.min(max, queue.ready);
    for (let looked = 0; looked < limit && queue.ringHead !== 0; looked++) {
      const slot = this.store.groups.words[queue.ringHead * GROUP_WORDS + HEAD]!;
      const targetId = destinationId === 0 ? this.table.source(slot) : destinationId;
      const target = this.store.find(targetId);
      if (target === undefined || !target.defined || target.fifo !== queue.fifo) {
        result.stranded++;
        this.store.putLast(queue, slot);
      } else {
        this.#move(queue, slot, target, 0, true, now);
        result.moved++;
      }
      queue.turnRing(this.store.groups);
    }
    result.left = queue.visible;
    if (result.moved > 0) this.syncNeeded = true;
  }

  // Looking.

  /** Up to `max` messages as they stand, into `deliveredSlots`. */
  peek(queueId: number, max: number, bytesMax: number): number {
    const queue = this.store.find(queueId);
    if (queue === undefined || !queue.defined) return -QUEUE_DOES_NOT_EXIST;
    return peekAt(
      this.store,
      queue,
      Math.min(max, BATCH_ENTRIES_MAX),
      bytesMax,
      this.deliveredSlots,
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
    const count = peekAt(this.store, queue, 1, 0, this.#slots);
    return {
      visible,
      inFlight,
      delayed,
      oldestSentAt: count === 0 ? 0 : this.table.sentAt(this.#slots[0]!),
    };
  }

  // Time.

  /** Does what is due at `now`, as far as one turn has time for it. */
  tick(now: number): void {
    if (this.store.hasGraves) this.store.dig(GRAVES_PER_TURN_MAX);
    this.#passDeadlines(now);
  }

  #passDeadlines(now: number): void {
    const { heap } = this.store;
    for (let left = DEADLINES_PER_TURN_MAX; left > 0 && heap.earliest <= now; left--) {
      const exhausted = this.store.passDeadline(now);
      if (exhausted !== 0) this.#deadLetter(this.store.queueOf(exhausted), exhausted, now);
    }
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
      work += 1 + this.#clearHead(queue, now, max - work);
      queue.turnRing(this.store.groups);
    }
    return work;
  }

  /** Ends a replay: the state is what the log says, and from here on time goes on. */
  recovered(now: number): void {
    this.table.rebuildFreeList();
    this.dropUnknownQueues(now);
    this.store.dig(Number.POSITIVE_INFINITY);
    while (this.store.heap.earliest <= now) this.#passDeadlines(now);
  }
}
