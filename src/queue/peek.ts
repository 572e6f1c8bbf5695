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
