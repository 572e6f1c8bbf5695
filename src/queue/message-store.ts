/* The messages of a partition and where each of them stands: the steps of which every change is
 * made, whether it is decided now or read from the log. Pure: no I/O, no clock. Owned by the
 * partition's thread.
 *
 * Invariants: a message is in exactly one list: that of its group (READY, and DELAYED on a FIFO
 * queue) or that of its queue's hidden ones (all others); it is in the heap exactly if it is not
 * READY; a group is in its queue's ring exactly if something can be received from it. A message
 * whose sequence is not above its queue's `purgedUpTo` is dead: it is in no list but a grave's. */

import { Hash128 } from '../base/hash.ts';
import { PARTITIONS_MAX } from '../base/limits.ts';
import * as entry from '../command/message-entry.ts';
import { BY_GROUP } from '../command/placement.ts';
import type { QueueSettings } from '../command/queue-definition.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { DedupWindow } from './dedup-window.ts';
import {
  GROUP_QUEUE,
  GROUP_WORDS,
  GroupTable,
  HASH_HIGH,
  HASH_LOW,
  HASHED,
  HEAD,
  IN_RING,
  LENGTH,
  LOCKED,
  TOTAL,
} from './group-table.ts';
import { LiveRegions } from './live-regions.ts';
import {
  DELAYED,
  FREE,
  GROUP,
  HEAP_INDEX,
  HELD,
  IN_FLIGHT,
  MessageTable,
  NEXT,
  POSITION,
  QUEUE,
  READY,
  ROW_DOUBLES,
  ROW_WORDS,
  SENT_AT,
  SEQUENCE,
  SOURCE,
} from './message-table.ts';
import { Queue } from './queue.ts';
import { ReceiveAttempts } from './receive-attempts.ts';

/** Faster than any partition takes messages, and slow enough for whole numbers until the year
 *  2248. */
const SEQUENCES_PER_MS = 1024;

export class MessageStore {
  readonly table: MessageTable;
  readonly groups: GroupTable;
  readonly heap: DeadlineHeap;
  readonly dedup = new DedupWindow();
  readonly attempts = new ReceiveAttempts();
  readonly hash = new Hash128();
  readonly regions: LiveRegions;
  readonly #regionBytes: number;
  nextSequence = 1;
  /** By partition: the sequence of the last message that this one took over from there. */
  readonly takenOver = new Float64Array(PARTITIONS_MAX);
  /** The newest time that a record of the log says; 0: none. */
  newestRecordAt = 0;
  /** Queues whose counts changed since they were last published. */
  readonly touched: Queue[] = [];
  /** By the index in message rows. */
  readonly #queues: (Queue | undefined)[] = [];
  readonly #byId = new Map<number, Queue>();
  /** Heads of chains of dead messages. */
  readonly #graves: number[] = [];

  /** @param messages that there will be soon, roughly
   *  @param rowsAtFirst of the table, at least */
  constructor(regionBytes: number, messages = 0, rowsAtFirst?: number) {
    this.table = new MessageTable(messages, rowsAtFirst);
    this.groups = new GroupTable(this.table);
    this.heap = new DeadlineHeap(this.table);
    this.#regionBytes = regionBytes;
    this.regions = new LiveRegions(regionBytes);
  }

  /** From here on, sequences are larger than any that an earlier life can have handed out: it may
   *  have handed out more than is left of it after a power cut, and a receipt for one of those must
   *  not pass for one of a message that comes later. */
  beginLife(now: number): void {
    this.nextSequence = Math.max(this.nextSequence, Math.floor(now) * SEQUENCES_PER_MS);
  }

  // Queues.

  find(queueId: number): Queue | undefined {
    return this.#byId.get(queueId);
  }

  queues(): IterableIterator<Queue> {
    return this.#byId.values();
  }

  queueOf(slot: number): Queue {
    return this.#queues[this.table.words[slot * ROW_WORDS + QUEUE]!]!;
  }

  define(settings: QueueSettings): void {
    const queue = this.obtain(settings.queueId, settings.fifo);
    queue.settings = settings;
    queue.defined = true;
    this.touch(queue);
  }

  /** The queue of that id; made, with settings that mean nothing, when only the log knows it. */
  obtain(queueId: number, fifo: boolean): Queue {
    let queue = this.#byId.get(queueId);
    if (queue === undefined) {
      queue = new Queue(this.#queues.length, placeholderSettings(queueId, fifo));
      this.#queues.push(queue);
      this.#byId.set(queueId, queue);
    }
    return queue;
  }

  touch(queue: Queue): void {
    if (queue.touched) return;
    queue.touched = true;
    this.touched.push(queue);
  }

  // Groups.

  /** The group of a message of `queue` whose entry lies at `at`. */
  groupOfEntry(queue: Queue, buffer: Uint8Array, at: number): number {
    const length = buffer[at + entry.GROUP_BYTES_AT]!;
    if (length === 0 || queue.transit) return this.mainGroup(queue);
    const from = entry.groupIdOffset(buffer, at);
    this.hash.digest(buffer, from, from + length, 0);
    return this.#hashedGroup(queue, this.hash.a, this.hash.b);
  }

  /** The group of a standard queue's messages without one. */
  mainGroup(queue: Queue): number {
    if (queue.mainGroup === 0) queue.mainGroup = this.#ownGroup(queue);
    return queue.mainGroup;
  }

  #returnedGroup(queue: Queue): number {
    if (queue.returnedGroup === 0) queue.returnedGroup = this.#ownGroup(queue);
    return queue.returnedGroup;
  }

  #ownGroup(queue: Queue): number {
    const group = this.groups.allocate(queue.index);
    queue.enlist(this.groups, group);
    return group;
  }

  #hashedGroup(queue: Queue, low: number, high: number): number {
    const group = this.groups.obtain(queue.index, low, high);
    if (this.groups.isNew) queue.enlist(this.groups, group);
    return group;
  }

  #joinGroup(slot: number, group: number): void {
    this.table.words[slot * ROW_WORDS + GROUP] = group;
    this.groups.words[group * GROUP_WORDS + TOTAL]!++;
  }

  #leaveGroup(slot: number): void {
    const group = this.table.words[slot * ROW_WORDS + GROUP]!;
    const row = group * GROUP_WORDS;
    const { words } = this.groups;
    if (--words[row + TOTAL]! > 0 || words[row + HASHED] === 0) return;
    const queue = this.#queues[words[row + GROUP_QUEUE]!]!;
    queue.delist(this.groups, group);
    this.groups.release(group);
  }

  /** Has a FIFO group in the ring exactly if its first message can be received. */
  #settleGroup(queue: Queue, group: number): void {
    const { words } = this.groups;
    const row = group * GROUP_WORDS;
    const wanted =
      words[row + LOCKED] === 0 &&
      words[row + LENGTH]! > 0 &&
      this.table.state(words[row + HEAD]!) === READY;
    if (wanted === (words[row + IN_RING] === 1)) return;
    if (wanted) queue.enterRing(this.groups, group);
    else queue.leaveRing(this.groups, group);
  }

  // The lists.

  /** Puts a message that is in no list into its group's, ready. */
  #show(queue: Queue, group: number, slot: number): void {
    const { groups } = this;
    const row = group * GROUP_WORDS;
    this.table.setState(slot, READY);
    queue.visible++;
    if (queue.fifo) groups.insertInOrder(group, slot);
    else groups.append(group, slot);
    if (groups.words[row + IN_RING] === 1) queue.ready++;
    else if (!queue.fifo) queue.enterRing(groups, group);
    if (queue.fifo) this.#settleGroup(queue, group);
    this.touch(queue);
  }

  #unlist(queue: Queue, group: number, slot: number): void {
    const { groups } = this;
    const row = group * GROUP_WORDS;
    groups.unlink(group, slot);
    if (groups.words[row + IN_RING] === 1) {
      queue.ready--;
      if (groups.words[row + LENGTH] === 0) queue.leaveRing(groups, group);
    }
    if (queue.fifo) this.#settleGroup(queue, group);
  }

  /** Takes a message out of its list and the heap, wherever it stands. Its group stays its own. */
  #detach(queue: Queue, slot: number): void {
    const { table } = this;
    const group = table.words[slot * ROW_WORDS + GROUP]!;
    const state = table.state(slot);
    if (state === READY) {
      queue.visible--;
      this.#unlist(queue, group, slot);
    } else {
      this.heap.remove(slot);
      if (state === DELAYED && queue.fifo) {
        queue.delayed--;
        this.#unlist(queue, group, slot);
      } else {
        this.#unhide(queue, group, slot, state);
      }
    }
    this.touch(queue);
  }

  #unhide(queue: Queue, group: number, slot: number, state: number): void {
    queue.unhide(this.table, slot);
    if (state === IN_FLIGHT) queue.inFlight--;
    else queue.delayed--;
    if (state === DELAYED) return;
    this.groups.words[group * GROUP_WORDS + LOCKED]!--;
    if (queue.fifo) this.#settleGroup(queue, group);
  }

  #hide(queue: Queue, slot: number, state: number, deadline: number): void {
    const group = this.table.words[slot * ROW_WORDS + GROUP]!;
    this.table.setState(slot, state);
    queue.hide(this.table, slot);
    this.heap.insert(slot, deadline);
    if (state === IN_FLIGHT) queue.inFlight++;
    else queue.delayed++;
    if (state === DELAYED) return;
    this.groups.words[group * GROUP_WORDS + LOCKED]!++;
    if (queue.fifo) this.#settleGroup(queue, group);
  }

  // What can happen to a message.

  /** A message comes to be in a slot that was taken for it. `visibleAt` of `sentAt` or before:
   *  at once. */
  insert(
    queue: Queue,
    slot: number,
    position: number,
    sequence: number,
    sentAt: number,
    entryBytes: number,
    group: number,
    visibleAt: number,
  ): void {
    this.table.fill(slot, position, sequence, sentAt, entryBytes, queue.index, group, READY);
    this.groups.words[group * GROUP_WORDS + TOTAL]!++;
    this.regions.add(position, entryBytes);
    queue.rows++;
    if (visibleAt <= sentAt) this.#show(queue, group, slot);
    else this.#delay(queue, group, slot, visibleAt);
  }

  #delay(queue: Queue, group: number, slot: number, until: number): void {
    this.touch(queue);
    if (!queue.fifo) {
      this.#hide(queue, slot, DELAYED, until);
      return;
    }
    // It holds its place: what was sent after it must not overtake it.
    const { groups } = this;
    this.table.setState(slot, DELAYED);
    this.heap.insert(slot, until);
    queue.delayed++;
    groups.insertInOrder(group, slot);
    if (groups.words[group * GROUP_WORDS + IN_RING] === 1) queue.ready++;
    this.#settleGroup(queue, group);
  }

  /** A consumer gets the message: it is hidden until `deadline`. */
  deliver(queue: Queue, slot: number, now: number, deadline: number): void {
    this.#detach(queue, slot);
    this.table.markReceived(slot, now);
    this.#hide(queue, slot, IN_FLIGHT, deadline);
  }

  /** The message is gone. */
  remove(queue: Queue, slot: number): void {
    this.#detach(queue, slot);
    this.#giveBack(queue, slot);
  }

  #giveBack(queue: Queue, slot: number): void {
    const { table } = this;
    this.#leaveGroup(slot);
    this.regions.remove(table.position(slot), table.entryBytes(slot));
    table.free(slot);
    queue.rows--;
    if (queue.rows === 0 && queue.dropped) this.#forget(queue);
  }

  /** Moves the visibility deadline of a message in flight. */
  setDeadline(slot: number, deadline: number): void {
    this.heap.move(slot, deadline);
  }

  /** Moves a message to another queue, where it is the newest and was never received. */
  moveTo(
    queue: Queue,
    slot: number,
    target: Queue,
    sequence: number,
    sentAt: number,
    source: number,
  ): void {
    const { table } = this;
    const group = table.words[slot * ROW_WORDS + GROUP]!;
    const row = group * GROUP_WORDS;
    const hashed = this.groups.words[row + HASHED] === 1 && !target.transit;
    const low = this.groups.words[row + HASH_LOW]!;
    const high = this.groups.words[row + HASH_HIGH]!;
    this.#detach(queue, slot);
    this.#leaveGroup(slot);
    queue.rows--;
    if (queue.rows === 0 && queue.dropped) this.#forget(queue);
    const position = table.position(slot);
    const entryBytes = table.entryBytes(slot);
    const joined = hashed ? this.#hashedGroup(target, low, high) : this.mainGroup(target);
    table.fill(slot, position, sequence, sentAt, entryBytes, target.index, joined, READY);
    table.words[slot * ROW_WORDS + SOURCE] = source;
    this.groups.words[joined * GROUP_WORDS + TOTAL]!++;
    target.rows++;
    this.#show(target, joined, slot);
  }

  /** Puts a READY message of a standard queue behind the others of its group. A FIFO group keeps
   *  its order. */
  putLast(queue: Queue, slot: number): void {
    if (queue.fifo) return;
    this.#detach(queue, slot);
    this.#show(queue, this.table.words[slot * ROW_WORDS + GROUP]!, slot);
  }

  /** The message's entry has been copied to `position`. */
  relocate(slot: number, position: number): void {
    const { table } = this;
    const bytes = table.entryBytes(slot);
    this.regions.remove(table.position(slot), bytes);
    this.regions.add(position, bytes);
    table.doubles[slot * ROW_DOUBLES + POSITION] = position;
  }

  /** Gives a message that was just inserted the state that it had before it was copied. */
  restore(queue: Queue, slot: number, state: number, deadline: number): void {
    const group = this.table.words[slot * ROW_WORDS + GROUP]!;
    if (state === READY && this.table.receiveCount(slot) === 0) return;
    this.#detach(queue, slot);
    if (state === READY) this.#showAgain(queue, slot);
    else if (state === DELAYED) this.#delay(queue, group, slot, deadline);
    else this.#hide(queue, slot, state, deadline);
  }

  // Time.

  /** Takes up the message whose deadline is the earliest and has passed. Returns the slot of one
   *  that goes to the dead-letter queue now, or 0. On a standard queue that is the message itself,
   *  still in flight; on a FIFO queue it is the first of its group, which may be received. */
  passDeadline(now: number): number {
    const { heap, table } = this;
    const slot = heap.earliestSlot;
    const queue = this.queueOf(slot);
    if (table.sequence(slot) <= queue.purgedUpTo) {
      heap.remove(slot);
      return 0;
    }
    const state = table.state(slot);
    if (state === IN_FLIGHT) {
      if (this.isExhausted(queue, slot)) {
        if (!queue.fifo) return slot;
        const group = table.words[slot * ROW_WORDS + GROUP]!;
        this.#makeVisible(queue, slot, state);
        return this.exhaustedHead(queue, group);
      }
      const until = heap.earliest + queue.backoffMs(table.receiveCount(slot));
      if (until > now) {
        this.#hold(queue, slot, until);
        return 0;
      }
    }
    this.#makeVisible(queue, slot, state);
    return 0;
  }

  /** The first message of a FIFO group, if it could be received and goes to the dead-letter queue
   *  instead; else 0. So they go there in the order of their group. */
  exhaustedHead(queue: Queue, group: number): number {
    const { words } = this.groups;
    const row = group * GROUP_WORDS;
    // A group whose last message has gone may be another one by now.
    if (words[row + IN_RING] === 0 || words[row + GROUP_QUEUE] !== queue.index) return 0;
    const head = words[row + HEAD]!;
    return this.isExhausted(queue, head) ? head : 0;
  }

  /** True when the message goes to the dead-letter queue instead of being received once more. */
  isExhausted(queue: Queue, slot: number): boolean {
    const { deadLetterQueueId, maxReceiveCount } = queue.settings;
    if (deadLetterQueueId === 0 || this.table.receiveCount(slot) < maxReceiveCount) return false;
    return this.#byId.get(deadLetterQueueId)?.defined === true;
  }

  #hold(queue: Queue, slot: number, until: number): void {
    this.table.setState(slot, HELD);
    queue.inFlight--;
    queue.delayed++;
    this.heap.move(slot, until);
    this.touch(queue);
  }

  #makeVisible(queue: Queue, slot: number, state: number): void {
    if (state === DELAYED && queue.fifo) {
      this.heap.remove(slot);
      this.table.setState(slot, READY);
      queue.delayed--;
      queue.visible++;
      this.#settleGroup(queue, this.table.words[slot * ROW_WORDS + GROUP]!);
      this.touch(queue);
      return;
    }
    this.#detach(queue, slot);
    if (state === DELAYED) {
      this.#show(queue, this.table.words[slot * ROW_WORDS + GROUP]!, slot);
    } else {
      this.#showAgain(queue, slot);
    }
  }

  /** Shows a message that was received before. */
  #showAgain(queue: Queue, slot: number): void {
    const group = this.table.words[slot * ROW_WORDS + GROUP]!;
    if (!queue.fifo && group === queue.mainGroup) {
      this.#leaveGroup(slot);
      const returned = this.#returnedGroup(queue);
      this.#joinGroup(slot, returned);
      this.#show(queue, returned, slot);
    } else {
      this.#show(queue, group, slot);
    }
  }

  // Many at once.

  /** Every message of the queue is dead from here on. Their rows are given back by `dig`. */
  purge(queue: Queue): void {
    queue.purgedUpTo = this.nextSequence - 1;
    if (queue.hiddenHead !== 0) this.#graves.push(queue.hiddenHead);
    queue.hiddenHead = 0;
    const { words } = this.groups;
    queue.forEachGroup(this.groups, (group) => {
      const row = group * GROUP_WORDS;
      if (words[row + HEAD] !== 0) this.#graves.push(words[row + HEAD]!);
      if (words[row + IN_RING] === 1) queue.leaveRing(this.groups, group);
      this.groups.clear(group);
    });
    queue.visible = 0;
    queue.inFlight = 0;
    queue.delayed = 0;
    queue.ready = 0;
    this.touch(queue);
  }

  /** Purges the queue and forgets it; its index goes when its last row is given back. */
  drop(queue: Queue): void {
    this.purge(queue);
    queue.dropped = true;
    queue.defined = false;
    this.#byId.delete(queue.queueId);
    if (queue.rows === 0) this.#forget(queue);
  }

  #forget(queue: Queue): void {
    if (queue.mainGroup !== 0) this.groups.free(queue.mainGroup);
    if (queue.returnedGroup !== 0) this.groups.free(queue.returnedGroup);
    queue.mainGroup = 0;
    queue.returnedGroup = 0;
    this.#queues[queue.index] = undefined;
  }

  get hasGraves(): boolean {
    return this.#graves.length > 0;
  }

  /** Gives the rows of up to `max` dead messages back. */
  dig(max: number): void {
    const { words } = this.table;
    for (let left = max; left > 0 && this.#graves.length > 0; left--) {
      const slot = this.#graves.pop()!;
      const next = words[slot * ROW_WORDS + NEXT]!;
      if (next !== 0) this.#graves.push(next);
      if (words[slot * ROW_WORDS + HEAP_INDEX] !== 0) this.heap.remove(slot);
      this.#giveBack(this.queueOf(slot), slot);
    }
  }

  /** The message that a ref names, if it lives: its queue, else undefined. */
  lookUp(slot: number, sequenceLow: number): Queue | undefined {
    if (!this.table.holds(slot, sequenceLow)) return undefined;
    const queue = this.queueOf(slot);
    return this.table.doubles[slot * ROW_DOUBLES + SEQUENCE]! > queue.purgedUpTo
      ? queue
      : undefined;
  }

  /** True when the message has been kept for as long as its queue keeps messages. */
  isPastRetention(queue: Queue, slot: number, now: number): boolean {
    return this.table.doubles[slot * ROW_DOUBLES + SENT_AT]! + queue.settings.retentionMs <= now;
  }

  /** True when `slot` holds a living message whose entry lies at `position`. */
  isAt(slot: number, position: number): boolean {
    return this.table.position(slot) === position && this.isAlive(slot);
  }

  /** True when `slot` holds a message that was not purged. */
  isAlive(slot: number): boolean {
    const { table } = this;
    if (slot >= table.endSlot || table.state(slot) === FREE) return false;
    return table.sequence(slot) > this.queueOf(slot).purgedUpTo;
  }

  isInFlight(slot: number): boolean {
    return this.table.state(slot) === IN_FLIGHT;
  }

  regionOf(position: number): number {
    return Math.floor(position / this.#regionBytes);
  }
}

function placeholderSettings(queueId: number, fifo: boolean): QueueSettings {
  return {
    queueId,
    boardRow: -1,
    fifo,
    visibilityTimeoutMs: 0,
    delayMs: 0,
    retentionMs: Number.POSITIVE_INFINITY,
    inFlightMax: 0,
    deduplicationPerGroup: false,
    placementKey: BY_GROUP,
    deadLetterQueueId: 0,
    maxReceiveCount: 0,
  };
}
