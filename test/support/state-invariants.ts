/* What must be true of a partition's state between any two commands: every list, count and index is
 * walked and held against the rows. Slow, and meant to be. */

import {
  GROUP_QUEUE,
  GROUP_WORDS,
  HASHED,
  HEAD,
  IN_RING,
  LENGTH,
  LOCKED,
  RING_NEXT,
  RING_PREVIOUS,
  TAIL,
  TOTAL,
} from '../../src/queue/group-table.ts';
import type { MessageStore } from '../../src/queue/message-store.ts';
import {
  DELAYED,
  FREE,
  GROUP,
  HEAP_INDEX,
  HELD,
  IN_FLIGHT,
  NEXT,
  PREVIOUS,
  QUEUE,
  READY,
  ROW_WORDS,
} from '../../src/queue/message-table.ts';
import type { Queue } from '../../src/queue/queue.ts';

function check(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Error(`state: ${what()}`);
}

function groupsOf(store: MessageStore, queue: Queue): number[] {
  const groups: number[] = [];
  queue.forEachGroup(store.groups, (group) => {
    groups.push(group);
    check(groups.length <= 1_000_000, () => `queue ${queue.queueId}: its groups form a circle`);
  });
  return groups;
}

/** The slots of a list, which is checked to be linked both ways. */
function follow(store: MessageStore, head: number, what: string): number[] {
  const { words, endSlot } = store.table;
  const slots: number[] = [];
  let previous = 0;
  for (let slot = head; slot !== 0; slot = words[slot * ROW_WORDS + NEXT]!) {
    check(words[slot * ROW_WORDS + PREVIOUS] === previous, () => `${what}: ${slot} is mislinked`);
    slots.push(slot);
    check(slots.length < endSlot, () => `${what}: the list is a circle`);
    previous = slot;
  }
  return slots;
}

/** Slots of the living messages of `queue`. */
export function rowsOf(store: MessageStore, queue: Queue): number[] {
  const slots = follow(store, queue.hiddenHead, 'hidden');
  for (const group of groupsOf(store, queue)) {
    slots.push(...follow(store, store.groups.words[group * GROUP_WORDS + HEAD]!, 'group'));
  }
  return slots;
}

export function checkInvariants(store: MessageStore): void {
  const living = new Set<number>();
  for (const queue of store.queues()) checkQueue(store, queue, living);
  checkRows(store, living);
  checkHeap(store);
}

function checkQueue(store: MessageStore, queue: Queue, living: Set<number>): void {
  const { table, groups } = store;
  const name = `queue ${queue.queueId}`;
  const counts = { [READY]: 0, [DELAYED]: 0, [IN_FLIGHT]: 0, [HELD]: 0 };
  const locked = new Map<number, number>();
  const claim = (slot: number) => {
    check(!living.has(slot), () => `${name}: slot ${slot} is in two lists`);
    living.add(slot);
    check(store.queueOf(slot) === queue, () => `${name}: slot ${slot} is another queue's`);
    check(table.sequence(slot) > queue.purgedUpTo, () => `${name}: dead slot ${slot} is listed`);
    counts[table.state(slot) as keyof typeof counts]++;
  };
  for (const slot of follow(store, queue.hiddenHead, `${name} hidden`)) {
    claim(slot);
    const state = table.state(slot);
    const hides = state === IN_FLIGHT || state === HELD || (state === DELAYED && !queue.fifo);
    check(hides, () => `${name}: slot ${slot} of state ${state} is hidden`);
    const group = table.words[slot * ROW_WORDS + GROUP]!;
    if (state !== DELAYED) locked.set(group, (locked.get(group) ?? 0) + 1);
  }
  let ready = 0;
  const ringed = new Set<number>();
  for (const group of groupsOf(store, queue)) {
    const row = group * GROUP_WORDS;
    const { words } = groups;
    check(words[row + GROUP_QUEUE] === queue.index, () => `${name}: group ${group} is another's`);
    const slots = follow(store, words[row + HEAD]!, `${name} group ${group}`);
    slots.forEach((slot, i) => {
      claim(slot);
      check(table.words[slot * ROW_WORDS + GROUP] === group, () => `slot ${slot}: wrong group`);
      const state = table.state(slot);
      check(
        state === READY || (state === DELAYED && queue.fifo),
        () => `slot ${slot} of state ${state} waits in group ${group}`,
      );
      const before = slots[i - 1];
      if (!queue.fifo || before === undefined) return;
      check(table.sequence(before) < table.sequence(slot), () => `group ${group} is out of order`);
    });
    check(words[row + LENGTH] === slots.length, () => `group ${group}: length`);
    check(words[row + TAIL] === (slots.at(-1) ?? 0), () => `group ${group}: tail`);
    check(words[row + LOCKED] === (locked.get(group) ?? 0), () => `group ${group}: locked`);
    locked.delete(group);
    const first = slots[0];
    const receivable =
      first !== undefined &&
      (!queue.fifo || (words[row + LOCKED] === 0 && table.state(first) === READY));
    check((words[row + IN_RING] === 1) === receivable, () => `group ${group}: in ring`);
    if (words[row + IN_RING] === 1) {
      ringed.add(group);
      ready += slots.length;
    }
  }
  check(locked.size === 0, () => `${name}: hidden messages of groups that are not the queue's`);
  checkRing(store, queue, ringed);
  check(queue.ready === ready, () => `${name}: ready is ${queue.ready}, not ${ready}`);
  check(queue.visible === counts[READY], () => `${name}: visible`);
  check(queue.inFlight === counts[IN_FLIGHT], () => `${name}: in flight`);
  check(queue.delayed === counts[DELAYED] + counts[HELD], () => `${name}: delayed`);
}

function checkRing(store: MessageStore, queue: Queue, members: ReadonlySet<number>): void {
  const { words } = store.groups;
  const seen = new Set<number>();
  let group = queue.ringHead;
  for (let i = 0; i < members.size; i++) {
    check(members.has(group) && !seen.has(group), () => `queue ${queue.queueId}: ring`);
    seen.add(group);
    const next = words[group * GROUP_WORDS + RING_NEXT]!;
    check(words[next * GROUP_WORDS + RING_PREVIOUS] === group, () => `ring at ${group}`);
    group = next;
  }
  check(group === queue.ringHead, () => `queue ${queue.queueId}: the ring does not close`);
  check(queue.ringLength === members.size, () => `queue ${queue.queueId}: ring length`);
}

/** Holds totals of groups, queues and regions against the rows, the dead ones included. */
function checkRows(store: MessageStore, living: ReadonlySet<number>): void {
  const { table, groups, regions } = store;
  const totals = new Map<number, number>();
  const rows = new Map<number, number>();
  const inRegion = new Map<number, number>();
  let count = 0;
  let bytes = 0;
  for (let slot = 1; slot < table.endSlot; slot++) {
    if (table.state(slot) === FREE) continue;
    count++;
    bytes += table.entryBytes(slot);
    const add = (map: Map<number, number>, key: number) => map.set(key, (map.get(key) ?? 0) + 1);
    add(totals, table.words[slot * ROW_WORDS + GROUP]!);
    add(rows, table.words[slot * ROW_WORDS + QUEUE]!);
    add(inRegion, store.regionOf(table.position(slot)));
    check(living.has(slot) || store.hasGraves, () => `slot ${slot} is in no list`);
  }
  check(table.count === count, () => `the table counts ${table.count} of ${count} messages`);
  check(regions.bytes === bytes, () => 'bytes of all regions');
  for (const [region, messages] of inRegion) {
    check(regions.messagesIn(region) === messages, () => `messages in region ${region}`);
  }
  for (const [group, total] of totals) {
    check(groups.words[group * GROUP_WORDS + TOTAL] === total, () => `group ${group}: total`);
  }
  for (const queue of store.queues()) {
    check(queue.rows === (rows.get(queue.index) ?? 0), () => `queue ${queue.queueId}: rows`);
    for (const group of groupsOf(store, queue)) {
      const row = group * GROUP_WORDS;
      const needed = groups.words[row + HASHED] === 0 || groups.words[row + TOTAL]! > 0;
      check(needed, () => `group ${group} of nobody is kept`);
    }
  }
  checkFreeList(store, count);
}

/** Takes every free slot and gives it back: each is free, and there are as many as there should
 *  be. */
function checkFreeList(store: MessageStore, count: number): void {
  const { table } = store;
  const taken = new Set<number>();
  const end = table.endSlot;
  for (let left = end - 1 - count; left > 0; left--) {
    const slot = table.allocate();
    check(slot > 0 && slot < end && !taken.has(slot), () => `slot ${slot} is given out twice`);
    check(table.state(slot) === FREE, () => `slot ${slot} is given out and not free`);
    taken.add(slot);
  }
  for (const slot of [...taken].toReversed()) table.free(slot);
}

function checkHeap(store: MessageStore): void {
  const { table, heap } = store;
  const slotAt = new Map<number, number>();
  for (let slot = 1; slot < table.endSlot; slot++) {
    const state = table.state(slot);
    if (state === FREE) continue;
    const index = table.words[slot * ROW_WORDS + HEAP_INDEX]!;
    const dead = table.sequence(slot) <= store.queueOf(slot).purgedUpTo;
    check(dead || (index !== 0) === (state !== READY), () => `slot ${slot}: in the heap or not`);
    if (index === 0) continue;
    check(!slotAt.has(index) && index <= heap.size, () => `slot ${slot}: heap index ${index}`);
    slotAt.set(index, slot);
  }
  check(slotAt.size === heap.size, () => 'the heap is as large as its rows say');
  for (const [index, slot] of slotAt) {
    const parent = slotAt.get((index + 2) >> 2);
    if (index === 1 || parent === undefined) continue;
    check(heap.deadline(parent) <= heap.deadline(slot), () => `heap order at ${index}`);
  }
  const top = slotAt.get(1);
  const least = top === undefined ? Number.POSITIVE_INFINITY : heap.deadline(top);
  check(heap.earliest === least, () => 'the earliest deadline is on top');
}
