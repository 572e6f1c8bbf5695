/* One queue in one partition: its settings, its counts, the ring of its groups that can be received
 * from, and the list of its hidden messages. Owned by the partition's thread. */

import { isTransitQueueId, type QueueSettings } from '../command/queue-definition.ts';
import {
  ALL_NEXT,
  ALL_PREVIOUS,
  GROUP_WORDS,
  type GroupTable,
  IN_RING,
  LENGTH,
  RING_NEXT,
  RING_PREVIOUS,
} from './group-table.ts';
import { type MessageTable, NEXT, PREVIOUS, ROW_WORDS } from './message-table.ts';

export class Queue {
  readonly queueId: number;
  /** Its place among the partition's queues; message rows name it by this. */
  readonly index: number;
  settings: QueueSettings;
  /** Its messages are on their way to another partition, in the order of their sequences; the
   *  source of each is the queue it goes to. Nobody else receives from it. */
  readonly transit: boolean;
  /** False: only the log knows it so far. */
  defined = false;
  /** It is deleted; its rows are being given back. */
  dropped = false;
  /** Rows of the message table that name it, the dead included. */
  rows = 0;
  /** Messages up to this sequence are dead. */
  purgedUpTo = 0;
  /** Messages that a receive could return now. */
  ready = 0;
  visible = 0;
  inFlight = 0;
  delayed = 0;
  /** The group to receive from next; 0: there is none. */
  ringHead = 0;
  ringLength = 0;
  /** The group of messages without a group id, on a transit queue of all; 0: not made yet. */
  mainGroup = 0;
  /** Of a standard queue: those of them that were received before. A group of its own, so that
   *  neither they nor the new ones wait for all of the others. */
  returnedGroup = 0;
  /** All of its groups. */
  #groups = 0;
  /** Messages in flight, held, and (on a standard queue) delayed: in no order. */
  hiddenHead = 0;
  /** Its counts changed since they were last published. */
  touched = false;

  constructor(index: number, settings: QueueSettings) {
    this.queueId = settings.queueId;
    this.transit = isTransitQueueId(settings.queueId);
    this.index = index;
    this.settings = settings;
  }

  get boardRow(): number {
    return this.settings.boardRow;
  }

  get fifo(): boolean {
    return this.settings.fifo;
  }

  get messages(): number {
    return this.visible + this.inFlight + this.delayed;
  }

  /** How long a message stays hidden after its visibility has run out. */
  backoffMs(receiveCount: number): number {
    const { retryBackoff } = this.settings;
    if (retryBackoff === undefined) return 0;
    const { baseMs, factor, maxMs } = retryBackoff;
    return Math.floor(Math.min(maxMs, baseMs * factor ** (receiveCount - 1)));
  }

  /** A group of this queue has come to be. */
  enlist(groups: GroupTable, group: number): void {
    const { words } = groups;
    const next = this.#groups;
    words[group * GROUP_WORDS + ALL_NEXT] = next;
    words[group * GROUP_WORDS + ALL_PREVIOUS] = 0;
    if (next !== 0) words[next * GROUP_WORDS + ALL_PREVIOUS] = group;
    this.#groups = group;
  }

  delist(groups: GroupTable, group: number): void {
    const { words } = groups;
    const next = words[group * GROUP_WORDS + ALL_NEXT]!;
    const previous = words[group * GROUP_WORDS + ALL_PREVIOUS]!;
    if (previous === 0) this.#groups = next;
    else words[previous * GROUP_WORDS + ALL_NEXT] = next;
    if (next !== 0) words[next * GROUP_WORDS + ALL_PREVIOUS] = previous;
  }

  /** Visits every group, in no order, as long as `visit` does not return false. */
  forEachGroup(groups: GroupTable, visit: (group: number) => boolean | void): void {
    let group = this.#groups;
    while (group !== 0) {
      const next = groups.words[group * GROUP_WORDS + ALL_NEXT]!;
      if (visit(group) === false) return;
      group = next;
    }
  }

  hide(table: MessageTable, slot: number): void {
    const { words } = table;
    const next = this.hiddenHead;
    words[slot * ROW_WORDS + NEXT] = next;
    words[slot * ROW_WORDS + PREVIOUS] = 0;
    if (next !== 0) words[next * ROW_WORDS + PREVIOUS] = slot;
    this.hiddenHead = slot;
  }

  unhide(table: MessageTable, slot: number): void {
    const { words } = table;
    const next = words[slot * ROW_WORDS + NEXT]!;
    const previous = words[slot * ROW_WORDS + PREVIOUS]!;
    if (previous === 0) this.hiddenHead = next;
    else words[previous * ROW_WORDS + NEXT] = next;
    if (next !== 0) words[next * ROW_WORDS + PREVIOUS] = previous;
  }

  /** Puts a group at the end of the ring: it is received from after all that are in it. */
  enterRing(groups: GroupTable, group: number): void {
    const { words } = groups;
    const row = group * GROUP_WORDS;
    const head = this.ringHead;
    if (head === 0) {
      words[row + RING_NEXT] = group;
      words[row + RING_PREVIOUS] = group;
      this.ringHead = group;
    } else {
      const last = words[head * GROUP_WORDS + RING_PREVIOUS]!;
      words[row + RING_NEXT] = head;
      words[row + RING_PREVIOUS] = last;
      words[last * GROUP_WORDS + RING_NEXT] = group;
      words[head * GROUP_WORDS + RING_PREVIOUS] = group;
    }
    words[row + IN_RING] = 1;
    this.ringLength++;
    this.ready += words[row + LENGTH]!;
  }

  leaveRing(groups: GroupTable, group: number): void {
    const { words } = groups;
    const row = group * GROUP_WORDS;
    const next = words[row + RING_NEXT]!;
    const previous = words[row + RING_PREVIOUS]!;
    words[previous * GROUP_WORDS + RING_NEXT] = next;
    words[next * GROUP_WORDS + RING_PREVIOUS] = previous;
    if (this.ringHead === group) this.ringHead = next === group ? 0 : next;
    words[row + IN_RING] = 0;
    this.ringLength--;
    this.ready -= words[row + LENGTH]!;
  }

  /** Goes on to the next group. */
  turnRing(groups: GroupTable): void {
    if (this.ringHead !== 0) {
      this.ringHead = groups.words[this.ringHead * GROUP_WORDS + RING_NEXT]!;
    }
  }
}
