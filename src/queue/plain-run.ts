/* Taking up many plain messages at once: those of a standard queue without a group and without a
 * delay, which is what a long backlog is made of. Does to the store what `insert` does for each of
 * them, in one loop; a start with millions of messages is made of little else. Pure; the
 * partition's thread, before it runs. */

import * as entry from '../command/message-entry.ts';
import { digestedEntryBytes } from './digest.ts';
import { GROUP_WORDS, HEAD, IN_RING, LENGTH, TAIL, TOTAL } from './group-table.ts';
import type { MessageStore } from './message-store.ts';
import { NEXT, PREVIOUS, READY, ROW_WORDS } from './message-table.ts';
import type { Queue } from './queue.ts';

/** Where the replay of a SEND record stands. */
export interface SendCursor {
  /** Entries that are still to be taken up. */
  left: number;
  /** Offset of the next one's slot, and of itself. */
  slotAt: number;
  from: number;
  /** In the log. */
  position: number;
  sequence: number;
}

/** Takes up the messages at `cursor`, which were sent at `sentAt` to a standard queue, as far as
 *  they are plain. */
export function placePlain(
  store: MessageStore,
  queue: Queue,
  buffer: Buffer,
  view: DataView,
  cursor: SendCursor,
  sentAt: number,
  queueDelayMs: number,
  digested: boolean,
): void {
  const { table, groups, regions } = store;
  const group = store.mainGroup(queue);
  const row = group * GROUP_WORDS;
  let { slotAt, from, position, sequence } = cursor;
  let tail = groups.words[row + TAIL]!;
  let placed = 0;
  for (; placed < cursor.left; placed++) {
    if (buffer[from + entry.GROUP_BYTES_AT] !== 0) break;
    const delay = view.getUint32(from + entry.DELAY_MS_AT, true);
    if ((delay === entry.DELAY_OF_QUEUE ? queueDelayMs : delay) !== 0) break;
    const slot = view.getUint32(slotAt, true);
    const bytes = view.getUint32(from + entry.ENTRY_BYTES_AT, true);
    table.place(slot);
    table.fill(slot, position, sequence, sentAt, bytes, queue.index, group, READY);
    const { words } = table;
    words[slot * ROW_WORDS + NEXT] = 0;
    words[slot * ROW_WORDS + PREVIOUS] = tail;
    if (tail === 0) groups.words[row + HEAD] = slot;
    else words[tail * ROW_WORDS + NEXT] = slot;
    tail = slot;
    regions.add(position, bytes);
    slotAt += 4;
    from += digested ? digestedEntryBytes(buffer, from) : bytes;
    position += bytes;
    sequence++;
  }
  if (placed === 0) return;
  groups.words[row + TAIL] = tail;
  groups.words[row + LENGTH]! += placed;
  groups.words[row + TOTAL]! += placed;
  queue.rows += placed;
  queue.visible += placed;
  if (groups.words[row + IN_RING] === 1) queue.ready += placed;
  else queue.enterRing(groups, group);
  store.touch(queue);
  Object.assign(cursor, { left: cursor.left - placed, slotAt, from, position, sequence });
}
