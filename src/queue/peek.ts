/* Messages as they stand, without receiving them. Pure. */

import { DELIVERY_HEADER_BYTES } from '../command/command-codec.ts';
import { GROUP_WORDS, HEAD } from './group-table.ts';
import type { MessageStore } from './message-store.ts';
import { NEXT, ROW_WORDS } from './message-table.ts';
import type { Queue } from './queue.ts';

/** Groups and hidden messages that one look visits, at most: it must not hold up the partition. */
const VISITED_MAX = 10_000;

/** Writes up to `max` slots of the queue's messages into `into`, those sent first coming first, as
 *  far as their entries and headers fit `bytesMax` (the first always does). Returns how many. */
export function peekAt(
  store: MessageStore,
  queue: Queue,
  max: number,
  bytesMax: number,
  into: Uint32Array,
): number {
  const { table, groups } = store;
  const found: number[] = [];
  let visited = 0;
  const follow = (first: number, most: number) => {
    let slot = first;
    for (let left = most; slot !== 0 && left > 0; left--) {
      found.push(slot);
      visited++;
      slot = table.words[slot * ROW_WORDS + NEXT]!;
    }
  };
  queue.forEachGroup(groups, (group) => {
    follow(groups.words[group * GROUP_WORDS + HEAD]!, max);
    return visited < VISITED_MAX;
  });
  follow(queue.hiddenHead, VISITED_MAX);
  found.sort((a, b) => table.sentAt(a) - table.sentAt(b) || table.sequence(a) - table.sequence(b));
  let bytes = 0;
  let count = 0;
  while (count < Math.min(max, found.length)) {
    const slot = found[count]!;
    bytes += DELIVERY_HEADER_BYTES + table.entryBytes(slot);
    if (count > 0 && bytes > bytesMax) break;
    into[count++] = slot;
  }
  return count;
}

/** When the oldest message of the queue was sent; 0: it is empty. Exact as long as no more than
 *  VISITED_MAX of its messages are hidden, were received before, or came from another queue;
 *  beyond that, of those that were looked at. */
export function oldestSentAt(store: MessageStore, queue: Queue): number {
  const { table, groups } = store;
  let oldest = Number.POSITIVE_INFINITY;
  let left = VISITED_MAX;
  const follow = (first: number) => {
    for (let slot = first; slot !== 0 && left > 0; left--) {
      oldest = Math.min(oldest, table.sentAt(slot));
      slot = table.words[slot * ROW_WORDS + NEXT]!;
    }
  };
  // Messages that keep the order of their sending: the first is the oldest of them.
  const isInOrder = (group: number, head: number) =>
    queue.fifo || (group === queue.mainGroup && table.source(head) === 0);
  queue.forEachGroup(groups, (group) => {
    const head = groups.words[group * GROUP_WORDS + HEAD]!;
    if (head === 0) return true;
    if (isInOrder(group, head)) oldest = Math.min(oldest, table.sentAt(head));
    else follow(head);
    return --left > 0;
  });
  follow(queue.hiddenHead);
  return oldest === Number.POSITIVE_INFINITY ? 0 : oldest;
}
