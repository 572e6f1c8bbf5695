/* From the logs of one number of partitions to those of another: every living message is written
 * anew to the partition where its queue would put it now. Runs on a thread of its own, before any
 * partition does; changes nothing of what it reads.
 *
 * Messages of one group keep their order, because they come from one log and go to one log, in
 * order of their sequence. Visibility deadlines, receive counts and deduplication ids are kept.
 * Receipts are not: they name slots of the old partitions. */

import { assert } from '../base/assert.ts';
import { utf8Text } from '../base/bytes.ts';
import { LOG_COMMIT_BYTES_MAX } from '../base/limits.ts';
import * as entry from '../command/message-entry.ts';
import { partitionOfGroup } from '../command/placement.ts';
import {
  type QueueDefinition,
  type QueueSettings,
  transitQueueId,
} from '../command/queue-definition.ts';
import type { LogSettings } from '../command/thread-protocol.ts';
import type { Log } from '../log/log.ts';
import { storedSegmentBytes } from '../log/wal/open-segments.ts';
import { NODE_STORAGE } from '../log/wal/storage.ts';
import { openWal } from '../log/wal/wal.ts';
import { GROUP_WORDS, HEAD } from '../queue/group-table.ts';
import { MessageStore } from '../queue/message-store.ts';
import {
  readEntry,
  writeCounters,
  writeDeduplication,
  writeRelocation,
} from '../queue/relocation.ts';
import { replayRecord } from '../queue/replay.ts';

export interface RepartitionOrder {
  readonly from: readonly LogSettings[];
  /** Of logs that do not exist yet. */
  readonly to: readonly LogSettings[];
  readonly definitions: readonly QueueDefinition[];
  readonly settings: readonly QueueSettings[];
  readonly now: number;
}

/** One of the old partitions. */
interface Source {
  readonly store: MessageStore;
  readonly log: Log;
  /** Of its living messages, in order of their sequences. */
  readonly slots: Uint32Array;
  /** Index in `slots` of the next one to move. */
  next: number;
}

/** One of the new partitions. */
interface Target {
  readonly log: Log;
  nextSlot: number;
  nextSequence: number;
}

/** Writes the logs of `order.to`, whole and on disk. Returns how many messages they hold. */
export async function repartition(order: RepartitionOrder): Promise<number> {
  const opened = order.from.map((settings) => openSource(settings, order.settings));
  opened.forEach(({ store }, partition) => endTransit(store, partition, opened, order.now));
  const sources = opened.map(
    ({ store, log }): Source => ({ store, log, slots: living(store), next: 0 }),
  );
  const sequence = Math.max(1, ...sources.map(({ store }) => store.nextSequence));
  const targets = order.to.map(
    (settings): Target => ({
      log: openWal(settings, () => assert(false, 'the new logs are empty')).log,
      nextSlot: 1,
      nextSequence: sequence,
    }),
  );
  const definitions = new Map(order.definitions.map((each) => [each.queueId, each]));
  let moved = 0;
  for (let source = earliest(sources); source !== undefined; source = earliest(sources)) {
    const slot = source.slots[source.next++]!;
    const definition = definitions.get(source.store.queueOf(slot).queueId)!;
    const bytes = readEntry(source.store, source.log, slot);
    const target = targets[placeOf(definition, bytes, targets.length, moved)]!;
    commitIfLarge(target.log);
    const { nextSlot, nextSequence } = target;
    writeRelocation(target.log, source.store, slot, nextSlot, nextSequence, bytes, 0);
    target.nextSlot++;
    target.nextSequence++;
    moved++;
  }
  for (const { log, nextSequence } of targets) finish(log, nextSequence, sources, order.now);
  for (const { log } of [...sources, ...targets]) await log.close();
  return moved;
}

interface OpenedLog {
  readonly store: MessageStore;
  readonly log: Log;
}

function openSource(settings: LogSettings, queues: readonly QueueSettings[]): OpenedLog {
  const stored = storedSegmentBytes(NODE_STORAGE, settings.directory);
  const store = new MessageStore(stored ?? settings.segmentBytes);
  for (const each of queues) store.define(each);
  const { log } = openWal(settings, (buffer, view, at, _length, position) =>
    replayRecord(store, buffer, view, at, position),
  );
  return { store, log };
}

/** Has each message that is on its way from `partition` in its queue, unless it is known where it
 *  goes: then it is there. In memory only. */
function endTransit(
  store: MessageStore,
  partition: number,
  opened: readonly OpenedLog[],
  now: number,
): void {
  const { table } = store;
  for (const [to, { store: target }] of opened.entries()) {
    const transit = store.find(transitQueueId(to));
    if (transit === undefined) continue;
    const known = target.takenOver[partition]!;
    let next = 0;
    for (let slot = store.groups.words[transit.mainGroup * GROUP_WORDS + HEAD]!; slot !== 0; ) {
      next = table.next(slot);
      const queue = store.find(table.source(slot));
      const sequence = table.sequence(slot);
      if (sequence <= known || queue === undefined || !queue.defined) store.remove(transit, slot);
      // As the newest: those of its group that were taken over come before it.
      else store.moveTo(transit, slot, queue, sequence, now, 0);
      slot = next;
    }
  }
}

/** The slots of the living messages, in order of their sequences. */
function living(store: MessageStore): Uint32Array {
  const { table } = store;
  const slots = new Uint32Array(table.count);
  let count = 0;
  for (let slot = 1; slot < table.endSlot; slot++) {
    if (store.isAlive(slot) && store.queueOf(slot).defined) slots[count++] = slot;
  }
  return slots.subarray(0, count).toSorted((a, b) => table.sequence(a) - table.sequence(b));
}

/** The source whose next message was sent first; undefined when all are done. */
function earliest(sources: readonly Source[]): Source | undefined {
  let first: Source | undefined;
  let firstSentAt = Number.POSITIVE_INFINITY;
  for (const source of sources) {
    if (source.next === source.slots.length) continue;
    const sentAt = source.store.table.sentAt(source.slots[source.next]!);
    if (first !== undefined && sentAt >= firstSentAt) continue;
    first = source;
    firstSentAt = sentAt;
  }
  return first;
}

/** The new partition of a message; those without a group are dealt out in turn. */
function placeOf(
  definition: QueueDefinition,
  entryBytes: Buffer,
  partitions: number,
  turn: number,
): number {
  const length = entryBytes[entry.GROUP_BYTES_AT]!;
  if (length === 0) return turn % partitions;
  const at = entry.groupIdOffset(entryBytes, 0);
  return partitionOfGroup(definition, utf8Text(entryBytes, at, at + length), partitions);
}

function commitIfLarge(log: Log): void {
  if (log.uncommittedBytes < LOG_COMMIT_BYTES_MAX) return;
  assert(log.commit() === undefined, 'the log on local disk is durable when commit returns');
}

function finish(log: Log, nextSequence: number, sources: readonly Source[], now: number): void {
  // In the new layout nothing was taken over yet.
  writeCounters(log, nextSequence, new Float64Array(0), now);
  for (const { store } of sources) {
    const indexes: number[] = [];
    store.dedup.expire(now, Number.POSITIVE_INFINITY);
    store.dedup.forEachUpTo(Number.POSITIVE_INFINITY, (index) => indexes.push(index));
    // An entry does not say which queue it is of: each partition gets all of them.
    writeDeduplication(log, store, indexes, now);
  }
}
