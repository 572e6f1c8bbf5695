/* The key under which a FIFO message's deduplication id stands in the window. Pure. */

import * as entry from '../command/message-entry.ts';
import { NOT_FOUND } from './dedup-window.ts';
import type { MessageStore } from './message-store.ts';

/** Hashes queue, scope and id of the entry at `at` into `store.hash`. Hashes of ids in different
 *  queues, or in different groups where that is the scope, are different. */
function hashKey(
  store: MessageStore,
  queueId: number,
  perGroup: boolean,
  buffer: Buffer,
  at: number,
): void {
  const id = entry.deduplicationIdOffset(buffer, at);
  const end = id + buffer[at + entry.DEDUPLICATION_BYTES_AT]!;
  const seed = Math.imul(queueId, 0x9e37_79b1);
  // The group id lies right before the id. Its length tells the two apart, and is not 0.
  if (perGroup) {
    const groupBytes = buffer[at + entry.GROUP_BYTES_AT]!;
    store.hash.digest(buffer, id - groupBytes, end, seed ^ groupBytes);
  } else {
    store.hash.digest(buffer, id, end, seed);
  }
}

/** The window's entry for the id of the message at `at`, or NOT_FOUND; `store.hash` is its key. */
export function findDuplicate(
  store: MessageStore,
  queueId: number,
  perGroup: boolean,
  buffer: Buffer,
  at: number,
  now: number,
): number {
  hashKey(store, queueId, perGroup, buffer, at);
  const { a, b, c, d } = store.hash;
  const index = store.dedup.find(a, b, c, d);
  return index !== NOT_FOUND && store.dedup.ended(index, now) ? NOT_FOUND : index;
}

/** Remembers the id of the message at `at`, which was accepted. */
export function noteDeduplication(
  store: MessageStore,
  queueId: number,
  perGroup: boolean,
  buffer: Buffer,
  at: number,
  sequence: number,
  sentAt: number,
  position: number,
): void {
  hashKey(store, queueId, perGroup, buffer, at);
  const { a, b, c, d } = store.hash;
  const region = store.regionOf(position);
  store.dedup.add(a, b, c, d, buffer, at + entry.MESSAGE_ID_AT, sequence, sentAt, region);
}
