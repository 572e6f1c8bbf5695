/* Where a message goes: by its key where order or fairness hangs on one, else wherever its sender
 * is sending at the time. */

import { createHash } from 'node:crypto';
import type { QueueDefinition } from './queue-definition.ts';

/** A hash of `text` for placement and identity of attempts: a whole number, 1 .. 2^52. Stable for
 *  ever: a group's messages must find their group after a restart. */
export function textHash(text: string): number {
  // Two FNV-1a runs with different offsets, over UTF-16 units.
  let low = 0x811c9dc5;
  let high = 0x050c5d1f;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x01000193) ^ (low >>> 15);
  }
  return (high & 0xf_ffff) * 0x1_0000_0000 + (low >>> 0) + 1;
}

/** A spread of `hash` over `partitions` that uses all of its bits. */
function spread(hash: number, partitions: number): number {
  let low = hash >>> 0;
  low = Math.imul(low ^ (low >>> 16), 0x85eb_ca6b);
  low = Math.imul(low ^ (low >>> 13), 0xc2b2_ae35);
  return ((low ^ (low >>> 16)) >>> 0) % partitions;
}

/** As a queue's placement key: each group goes by its own id. */
export const BY_GROUP = 0;

/** What places all groups of `queue` on one partition, or BY_GROUP. A FIFO queue that is not in
 *  high-throughput mode has one partition for all of its groups. */
export function placementKeyOf(queue: QueueDefinition): number {
  return queue.attributes.fifo && !isSpread(queue) ? textHash(queue.name) : BY_GROUP;
}

/** The partition of a message with that group id in a queue with that placement key. */
export function partitionOfKey(key: number, groupId: string, partitions: number): number {
  return spread(key === BY_GROUP ? textHash(groupId) : key, partitions);
}

/** The partition of a message with a group id in `queue`. */
export function partitionOfGroup(
  queue: QueueDefinition,
  groupId: string,
  partitions: number,
): number {
  if (partitions === 1) return 0;
  return partitionOfKey(placementKeyOf(queue), groupId, partitions);
}

/** Rule: SQS high throughput for FIFO queues. */
function isSpread({ attributes }: QueueDefinition): boolean {
  const { deduplicationScope, throughputLimit } = attributes;
  return deduplicationScope === 'messageGroup' && throughputLimit === 'perMessageGroupId';
}

/** The deduplication id on a queue with content-based deduplication. Rule: SQS; the SHA-256 of the
 *  body, not of the attributes. */
export function contentDeduplicationId(body: string | Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
