/* Receives: which messages, and in which order. Owned by the partition's thread. */

import { ERRORS } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../base/limits.ts';
import { DELIVERY_HEADER_BYTES, TIMEOUT_OF_QUEUE } from '../command/command-codec.ts';
import * as record from './event-record.ts';
import { beginRecord } from './event-record.ts';
import { GROUP_WORDS, HEAD } from './group-table.ts';
import type { Ledger } from './ledger.ts';
import type { MessageStore } from './message-store.ts';
import { READY } from './message-table.ts';
import type { Queue } from './queue.ts';
import type { AttemptedMessage } from './receive-attempts.ts';

const QUEUE_DOES_NOT_EXIST = ERRORS.CAPSTAN_QUEUE_DOES_NOT_EXIST.number;
const OVER_LIMIT = ERRORS.CAPSTAN_OVER_LIMIT.number;
/** Messages that one receive may find expired or exhausted before it gives up for the time
 *  being. */
const CLEARED_PER_RECEIVE_MAX = 10_000;
const NO_ATTEMPT = 0;
/** What `receive` returns when not even one message fits the room there is; it has changed nothing.
 *   */
export const NO_ROOM = -1000;

export class Receiving {
  readonly #ledger: Ledger;
  /** Of a queue, by its board row: messages in flight in the other partitions. */
  inFlightElsewhere: (boardRow: number) => number = () => 0;
  /** What the last receive or peek found. */
  readonly slots = new Uint32Array(BATCH_ENTRIES_MAX);
  /** Messages delivered since the start. */
  total = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Delivers up to `max` messages whose entries and headers fit `bytesMax` (one always does).
   *  Returns how many, in `slots`; or an error's number, negative. */
  receive(
    queueId: number,
    max: number,
    bytesMax: number,
    roomBytes: number,
    timeoutMs: number,
    attempt: number,
    now: number,
  ): number {
    const queue = this.#ledger.store.find(queueId);
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
    if (this.#ledger.clearHead(queue, now, CLEARED_PER_RECEIVE_MAX) === CLEARED_PER_RECEIVE_MAX)
      return 0;
    const limit = Math.min(max, queue.ready, room, BATCH_ENTRIES_MAX);
    if (limit <= 0) return 0;
    const head = this.#ledger.store.groups.words[queue.ringHead * GROUP_WORDS + HEAD]!;
    if (DELIVERY_HEADER_BYTES + this.#ledger.table.entryBytes(head) > roomBytes) return NO_ROOM;
    const most = Math.min(bytesMax, roomBytes);
    const length = record.RECEIVE_REFS_AT + limit * record.REF_BYTES;
    const to = beginRecord(this.#ledger.journal, length, record.RECEIVE, 0, 0, queueId, now);
    const { view } = this.#ledger.journal;
    view.setFloat64(to + record.RECEIVE_DEADLINE_AT, deadline, true);
    view.setFloat64(to + record.RECEIVE_ATTEMPT_AT, queue.fifo ? attempt : NO_ATTEMPT, true);
    const count = queue.fifo
      ? this.#gatherFifo(queue, limit, most, now, deadline)
      : this.#gatherStandard(queue, limit, most, now, deadline);
    view.setUint16(to + record.COUNT_AT, count, true);
    this.#writeRefs(to + record.RECEIVE_REFS_AT, count);
    if (queue.fifo) this.#noteFifoReceive(queue, attempt, count, now);
    this.total += count;
    return count;
  }

  #noteFifoReceive(queue: Queue, attempt: number, count: number, now: number): void {
    this.#ledger.syncNeeded = true;
    if (attempt === NO_ATTEMPT || count === 0) return;
    const messages: AttemptedMessage[] = [];
    for (let i = 0; i < count; i++) {
      const slot = this.slots[i]!;
      const delivery = this.#ledger.table.delivery(slot);
      messages.push({ slot, sequence: this.#ledger.table.sequence(slot), delivery });
    }
    this.#ledger.store.attempts.add(queue.queueId, attempt, now, messages);
  }

  #writeRefs(at: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.#ledger.writeRef(at + i * record.REF_BYTES, this.slots[i]!);
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
    const { slots } = this;
    const { store, table } = this.#ledger;
    const { groups } = store;
    let bytes = 0;
    let count = 0;
    while (count < limit) {
      const slot = groups.words[queue.ringHead * GROUP_WORDS + HEAD]!;
      bytes += DELIVERY_HEADER_BYTES + table.entryBytes(slot);
      if (count > 0 && (bytes > bytesMax || this.#ledger.isUnfit(queue, slot, now))) break;
      queue.turnRing(groups);
      store.deliver(queue, slot, now, deadline);
      slots[count++] = slot;
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
    const { slots } = this;
    const { store, table } = this.#ledger;
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
        if (count > 0 && (bytes > bytesMax || this.#ledger.isUnfit(queue, slot, now))) return count;
        store.deliver(queue, slot, now, deadline);
        slots[count++] = slot;
      }
    }
    return count;
  }

  #repeatAttempt(queue: Queue, attempt: number, deadline: number, now: number): number {
    const messages = this.#ledger.store.attempts.find(queue.queueId, attempt, now);
    if (messages === undefined) return 0;
    if (!areHeld(this.#ledger.store, queue, messages)) return 0;
    const count = messages.length;
    const length = record.HEADER_BYTES + count * record.VISIBILITY_REF_BYTES;
    const { queueId } = queue;
    const to = beginRecord(this.#ledger.journal, length, record.VISIBILITY, 0, count, queueId, now);
    messages.forEach(({ slot }, i) => {
      const at = to + record.HEADER_BYTES + i * record.VISIBILITY_REF_BYTES;
      this.#ledger.writeRef(at, slot);
      this.#ledger.journal.view.setUint32(at + 8, deadline - now, true);
      this.#ledger.store.setDeadline(slot, deadline);
      this.slots[i] = slot;
    });
    this.#ledger.syncNeeded = true;
    return count;
  }
}

/** True while all of the messages are in flight by that attempt. */
export function areHeld(
  store: MessageStore,
  queue: Queue,
  messages: readonly AttemptedMessage[],
): boolean {
  return messages.every(
    ({ slot, sequence, delivery }) =>
      store.lookUp(slot, sequence >>> 0) === queue &&
      store.isInFlight(slot) &&
      store.table.delivery(slot) === delivery,
  );
}
