/* The records by which a partition's state changes, as they lie in its log. This file is the only
 * place that knows these bytes. Little endian, no alignment. Kinds are never reused.
 *
 * Every record begins so:
 *   0      1       2       4          8
 *   +------+-------+-------+----------+----------+------
 *   | kind | flags | count | queue id | at, f64  | ...
 *   +------+-------+-------+----------+----------+------
 *
 *   1 SEND        16 first sequence f64 | 24 the queue's delay, ms u32 | 28 slots' room u16
 *                 30 partition u16
 *                 32 slots u32, `room` of them | entries, see message-entry.ts, `count` of them
 *                 flags: 1 FIFO, 2 deduplication per group, 4 taken over from `partition`: they are
 *                 visible at once, and in the room behind the slots is the sequence f64 that the
 *                 last of them had there
 *   2 RECEIVE     16 visible again at f64 | 24 attempt f64 | 32 refs, `count` of them
 *   3 DELETE      16 refs
 *   4 VISIBILITY  16 refs, each followed by the timeout from `at`, ms u32
 *   5 MOVE        16 first sequence f64 | 24 id of the queue they leave u32 | 28 - | 32 refs
 *                 `queue id` is where they go; flags: 1 they are new there (sent `at`)
 *   6 PURGE       16: every message of the queue is gone
 *   7 DROP        16: so is the queue
 *   8 RELOCATE    16 sequence f64 | 24 deadline f64 | 32 first received f64 | 40 last received f64
 *   |
 *                 48 slot u32 | 52 receive count u32 | 56 source u32 | 60 - | 64 entry; `at`: sent
 *                 at; flags: the message's state in the low 3 bits, 8 FIFO
 *   9 COUNTERS    16 next sequence f64 | 24 by partition, `count` of them: the sequence f64 of the
 *                 last message taken over from there
 *  10 DEDUP       16 entries of 48 bytes, see dedup-window.ts
 *  13 ATTEMPT     16 attempt f64 | 24 refs, each followed by the delivery u32; `at`: received at
 *
 * In digests of segments only, see digest.ts:
 *  11 SEND_DIGEST       as SEND, with entries that are cut
 *  12 RELOCATE_DIGEST   as RELOCATE, likewise
 *
 * A ref is a slot and the low half of the message's sequence, u32 each. A slot of 0 says nothing; a
 * ref to a message that is not there says nothing either: its SEND went with a released region.
 *
 * What time does by itself is not logged: a message whose deadline passes is made visible by the
 * deadline, before a restart and after it. What becomes of it then, whether it goes to the
 * dead-letter queue and how long its backoff holds it, is judged by the queue's settings of that
 * moment, as SQS judges by the policy in force; of deadlines that passed while the partition was
 * down, by those it is started with. */

export const SEND = 1;
export const RECEIVE = 2;
export const DELETE = 3;
export const VISIBILITY = 4;
export const MOVE = 5;
export const PURGE = 6;
export const DROP = 7;
export const RELOCATE = 8;
export const COUNTERS = 9;
export const DEDUP = 10;
export const SEND_DIGEST = 11;
export const RELOCATE_DIGEST = 12;
export const ATTEMPT = 13;

export const FLAG_FIFO = 1;
export const FLAG_DEDUP_PER_GROUP = 2;
export const FLAG_TAKEN_OVER = 4;
export const FLAG_AS_NEW = 1;

export const KIND_AT = 0;
export const FLAGS_AT = 1;
export const COUNT_AT = 2;
export const QUEUE_ID_AT = 4;
export const TIME_AT = 8;
export const HEADER_BYTES = 16;

export const SEND_SEQUENCE_AT = 16;
export const SEND_DELAY_AT = 24;
export const SEND_ROOM_AT = 28;
export const SEND_PARTITION_AT = 30;
export const SEND_SLOTS_AT = 32;
/** What the sequence behind the slots of messages that were taken over needs of their room. */
export const TAKEN_OVER_SLOTS = 2;

export const RECEIVE_DEADLINE_AT = 16;
export const RECEIVE_ATTEMPT_AT = 24;
export const RECEIVE_REFS_AT = 32;

export const MOVE_SEQUENCE_AT = 16;
export const MOVE_SOURCE_AT = 24;
export const MOVE_REFS_AT = 32;

export const RELOCATE_SEQUENCE_AT = 16;
export const RELOCATE_DEADLINE_AT = 24;
export const RELOCATE_FIRST_RECEIVED_AT = 32;
export const RELOCATE_LAST_RECEIVED_AT = 40;
export const RELOCATE_SLOT_AT = 48;
export const RELOCATE_COUNT_AT = 52;
export const RELOCATE_SOURCE_AT = 56;
export const RELOCATE_HEADER_BYTES = 64;
export const RELOCATE_STATE_MASK = 7;
export const FLAG_RELOCATE_FIFO = 8;

export const COUNTERS_SEQUENCE_AT = 16;
export const COUNTERS_BYTES = 24;

export const DEDUP_ENTRY_BYTES = 48;

export const ATTEMPT_AT = 16;
export const ATTEMPT_REFS_AT = 24;
export const ATTEMPT_REF_BYTES = 12;

export const REF_BYTES = 8;
export const VISIBILITY_REF_BYTES = 12;

/** Where a state writes its records. A `Log` is one. */
export interface Journal {
  readonly buffer: Buffer;
  readonly view: DataView;
  readonly claimedPosition: number;
  readonly regionBytes: number;
  readonly currentRegion: number;
  claim(length: number): number;
}

/** Claims a record and writes its header; returns its offset in `journal.buffer`. */
export function beginRecord(
  journal: Journal,
  length: number,
  kind: number,
  flags: number,
  count: number,
  queueId: number,
  at: number,
): number {
  const offset = journal.claim(length);
  const { view } = journal;
  view.setUint16(offset + KIND_AT, kind | (flags << 8), true);
  view.setUint16(offset + COUNT_AT, count, true);
  view.setUint32(offset + QUEUE_ID_AT, queueId, true);
  view.setFloat64(offset + TIME_AT, at, true);
  return offset;
}
