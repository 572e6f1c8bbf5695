/* What each command does: read it where it lies in the request ring, let the state decide, and
 * write the reply where it will lie in the reply ring. Runs on the partition's thread.
 *
 * The reply is written before the commit and published after it. No command is taken up before
 * there is room for its reply, so a handler's own claim cannot fail. */

import { assert } from '../base/assert.ts';
import { copyViewed, utf8Text } from '../base/bytes.ts';
import { ERRORS, isDiskFull, NO_ERROR } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX, FRAME_BYTES_MAX, GROUP_ID_BYTES_MAX } from '../base/limits.ts';
import * as codec from '../command/command-codec.ts';
import {
  ENTRY_HEADER_BYTES,
  GROUP_BYTES_AT,
  groupIdOffset,
  MD5_BYTES,
  MESSAGE_ID_BYTES,
} from '../command/message-entry.ts';
import { partitionOfKey } from '../command/placement.ts';
import type { QueueSettings } from '../command/queue-definition.ts';
import type { Log } from '../log/log.ts';
import type { Queue } from '../queue/queue.ts';
import type { QueueState } from '../queue/queue-state.ts';
import { NO_ROOM } from '../queue/receiving.ts';
import { INSUFFICIENT, type RingReader, type RingWriter } from '../ring/spsc-ring.ts';

/** What the handlers act on. */
export interface PartitionParts {
  readonly index: number;
  /** Their number, this one included. */
  readonly partitions: number;
  readonly log: Log;
  readonly state: QueueState;
  /** OP_FAULT is let through. */
  readonly faults: boolean;
  stopRequested: boolean;
}

/** `at` is the command's first byte. Returns NO_ROOM, and has changed nothing, where the reply
 *  turns out to be longer than there is room for. */
type Handler = (
  parts: PartitionParts,
  requests: RingReader,
  at: number,
  replies: RingWriter,
  now: number,
) => typeof NO_ROOM | void;

const HANDLERS: readonly (Handler | undefined)[] = [];

function handler(op: number, handle: Handler): void {
  (HANDLERS as (Handler | undefined)[])[op] = handle;
}

/** The longest reply of commands that carry neither messages nor a result per entry. */
const SHORT_REPLY_BYTES = 256;
/** In which an entry's group id is found. */
const ENTRY_HEAD_BYTES_MAX = ENTRY_HEADER_BYTES + MD5_BYTES + GROUP_ID_BYTES_MAX;
/** Room with which a receive is taken up: it delivers no more than there is room for. */
const RECEIVE_ROOM_BYTES = 64 * 1024;

/** The room that there has to be for a command's reply. */
function replyRoom(requests: RingReader, at: number): number {
  const count = requests.view.getUint16(at + codec.COUNT_AT, true);
  switch (requests.buffer[at + codec.OP_AT]!) {
    case codec.OP_SEND:
      return codec.REPLY_HEADER_BYTES + count * codec.SEND_RESULT_BYTES;
    case codec.OP_DELETE:
    case codec.OP_CHANGE_VISIBILITY:
      return codec.REPLY_HEADER_BYTES + count;
    case codec.OP_RECEIVE: {
      // A repeated attempt gets all of its messages again.
      const attempt = requests.view.getFloat64(at + codec.RECEIVE_ATTEMPT_AT, true);
      return attempt === 0 ? RECEIVE_ROOM_BYTES : codec.REPLY_SPACE_MIN;
    }
    case codec.OP_PEEK:
      return codec.REPLY_SPACE_MIN;
    default:
      return SHORT_REPLY_BYTES;
  }
}

/** Carries out the command at `requests.offset`, and returns 0. Otherwise there is no room for its
 *  reply, nothing was changed, and so many bytes are wanted. */
export function handleCommand(
  parts: PartitionParts,
  requests: RingReader,
  replies: RingWriter,
  now: number,
): number {
  const at = requests.offset;
  const handle = HANDLERS[requests.buffer[at + codec.OP_AT]!];
  assert(handle !== undefined, 'a router sends known commands only');
  const room = replyRoom(requests, at);
  if (replies.freeBytes < room) return room;
  try {
    if (handle(parts, requests, at, replies, now) === NO_ROOM) return codec.REPLY_SPACE_MIN;
  } catch (error) {
    // The state claims its record before it changes anything, and a reply is claimed after that.
    if (!isDiskFull(error)) throw error;
    refuse(requests, at, replies, ERRORS.CAPSTAN_DISK_FULL.number);
  }
  return 0;
}

function claimReply(replies: RingWriter, resultBytes: number): number {
  const reply = replies.claim(codec.REPLY_HEADER_BYTES + resultBytes);
  assert(reply !== INSUFFICIENT, 'there was room for the reply before its command was taken up');
  return reply;
}

function refuse(requests: RingReader, at: number, replies: RingWriter, error: number): void {
  answer(requests, at, replies, claimReply(replies, 0), error, 0, 0);
}

handler(codec.OP_SEND, ({ log, state: { sending } }, requests, at, replies, now) => {
  const { buffer, view } = requests;
  const count = view.getUint16(at + codec.COUNT_AT, true);
  const entriesAt = at + codec.REQUEST_HEADER_BYTES;
  if (log.spaceLow) {
    refuse(requests, at, replies, ERRORS.CAPSTAN_DISK_FULL.number);
    return;
  }
  const queueId = view.getUint32(at + codec.QUEUE_ID_AT, true);
  sending.send(queueId, buffer, view, entriesAt, count, now);
  const reply = claimReply(replies, count * codec.SEND_RESULT_BYTES);
  if (sending.uniform) {
    replies.view.setFloat64(reply + codec.REPLY_HEADER_BYTES, sending.sequences[0]!, true);
    answer(requests, at, replies, reply, NO_ERROR, codec.UNIFORM, 0, 8);
    return;
  }
  let result = reply + codec.REPLY_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const duplicate = sending.duplicates[i]!;
    replies.buffer[result] = sending.errors[i]!;
    replies.buffer[result + codec.SEND_RESULT_DUPLICATE_AT] = duplicate;
    replies.view.setFloat64(result + codec.SEND_RESULT_SEQUENCE_AT, sending.sequences[i]!, true);
    if (duplicate !== 0) {
      const idAt = i * MESSAGE_ID_BYTES;
      sending.messageIds.copy(
        replies.buffer,
        result + codec.SEND_RESULT_ID_AT,
        idAt,
        idAt + MESSAGE_ID_BYTES,
      );
    }
    result += codec.SEND_RESULT_BYTES;
  }
  const bytes = count * codec.SEND_RESULT_BYTES;
  answer(requests, at, replies, reply, NO_ERROR, codec.PER_ENTRY, 0, bytes);
});

handler(codec.OP_RECEIVE, (parts, requests, at, replies, now) => {
  const { view } = requests;
  const roomBytes = replies.freeBytes - codec.REPLY_HEADER_BYTES;
  const count = parts.state.receiving.receive(
    view.getUint32(at + codec.QUEUE_ID_AT, true),
    view.getUint16(at + codec.COUNT_AT, true),
    messageBytesMax(view, at),
    roomBytes,
    view.getInt32(at + codec.RECEIVE_TIMEOUT_AT, true),
    view.getFloat64(at + codec.RECEIVE_ATTEMPT_AT, true),
    now,
  );
  if (count === NO_ROOM) return NO_ROOM;
  return writeMessages(parts, requests, at, replies, count);
});

handler(codec.OP_PEEK, (parts, requests, at, replies) => {
  const { view } = requests;
  const count = parts.state.peek(
    view.getUint32(at + codec.QUEUE_ID_AT, true),
    view.getUint16(at + codec.COUNT_AT, true),
    messageBytesMax(view, at),
  );
  writeMessages(parts, requests, at, replies, count);
});

function messageBytesMax(view: DataView, at: number): number {
  const asked = view.getUint32(at + codec.OPERAND_AT, true);
  return Math.min(asked, FRAME_BYTES_MAX - codec.REPLY_HEADER_BYTES);
}

/** Replies with the messages in `state.receiving.slots`; a negative count is an error's number. */
function writeMessages(
  { index, log, state }: PartitionParts,
  requests: RingReader,
  at: number,
  replies: RingWriter,
  count: number,
): void {
  if (count <= 0) {
    refuse(requests, at, replies, -count);
    return;
  }
  const { table } = state;
  const { slots } = state.receiving;
  let bytes = codec.REPLY_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    bytes += codec.DELIVERY_HEADER_BYTES + table.entryBytes(slots[i]!);
  }
  const reply = claimReply(replies, bytes - codec.REPLY_HEADER_BYTES);
  answer(requests, at, replies, reply, NO_ERROR, 0, 0, bytes - codec.REPLY_HEADER_BYTES);
  const { buffer, view } = replies;
  view.setUint16(reply + codec.COUNT_AT, count, true);
  const queueId = requests.view.getUint32(at + codec.QUEUE_ID_AT, true);
  let to = reply + codec.REPLY_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!;
    const sequence = table.sequence(slot);
    view.setUint8(to, codec.SEALED_VERSION);
    view.setUint16(to + codec.SEALED_PARTITION_AT, index);
    view.setUint32(to + codec.SEALED_SLOT_AT, slot);
    view.setUint32(to + codec.SEALED_SEQUENCE_AT, sequence);
    view.setUint32(to + codec.SEALED_DELIVERY_AT, table.delivery(slot));
    view.setUint32(to + codec.SEALED_QUEUE_AT, queueId);
    view.setFloat64(to + codec.SEALED_MAC_AT, 0);
    buffer[to + codec.SEALED_RECEIPT_BYTES] = 0;
    view.setFloat64(to + codec.DELIVERY_SEQUENCE_AT, sequence, true);
    view.setFloat64(to + codec.DELIVERY_SENT_AT, table.sentAt(slot), true);
    view.setFloat64(to + codec.DELIVERY_FIRST_RECEIVED_AT, table.firstReceivedAt(slot), true);
    view.setUint32(to + codec.DELIVERY_COUNT_AT, table.receiveCount(slot), true);
    view.setUint32(to + codec.DELIVERY_SOURCE_AT, table.source(slot), true);
    to += codec.DELIVERY_HEADER_BYTES;
    const length = table.entryBytes(slot);
    log.read(table.position(slot), length);
    const { readBuffer, readView, readOffset } = log;
    copyViewed(readBuffer, readView, readOffset, readOffset + length, buffer, view, to);
    to += length;
  }
}

handler(codec.OP_DELETE, ({ state }, requests, at, replies, now) => {
  const { view } = requests;
  const count = view.getUint16(at + codec.COUNT_AT, true);
  const queueId = view.getUint32(at + codec.QUEUE_ID_AT, true);
  state.receipts.delete(queueId, view, at + codec.REQUEST_HEADER_BYTES, count, now);
  writeResults(state, requests, at, replies, count);
});

handler(codec.OP_CHANGE_VISIBILITY, ({ state }, requests, at, replies, now) => {
  const { view } = requests;
  const count = view.getUint16(at + codec.COUNT_AT, true);
  const queueId = view.getUint32(at + codec.QUEUE_ID_AT, true);
  state.receipts.changeVisibility(queueId, view, at + codec.REQUEST_HEADER_BYTES, count, now);
  writeResults(state, requests, at, replies, count);
});

function writeResults(
  state: QueueState,
  requests: RingReader,
  at: number,
  replies: RingWriter,
  count: number,
): void {
  const { results } = state.receipts;
  const reply = claimReply(replies, count);
  let failed = 0;
  for (let i = 0; i < count; i++) failed |= results[i]!;
  if (failed === NO_ERROR) {
    answer(requests, at, replies, reply, NO_ERROR, codec.UNIFORM, 0);
    return;
  }
  for (let i = 0; i < count; i++) {
    replies.buffer[reply + codec.REPLY_HEADER_BYTES + i] = results[i]!;
  }
  answer(requests, at, replies, reply, NO_ERROR, codec.PER_ENTRY, 0, count);
}

handler(codec.OP_PURGE, ({ state }, requests, at, replies, now) => {
  state.purge(requests.view.getUint32(at + codec.QUEUE_ID_AT, true), now);
  const reply = claimReply(replies, 0);
  answer(requests, at, replies, reply, NO_ERROR, 0, 0);
});

handler(codec.OP_DROP, ({ state }, requests, at, replies, now) => {
  state.drop(requests.view.getUint32(at + codec.QUEUE_ID_AT, true), now);
  const reply = claimReply(replies, 0);
  answer(requests, at, replies, reply, NO_ERROR, 0, 0);
});

handler(codec.OP_DEFINE, ({ state }, requests, at, replies) => {
  const from = at + codec.REQUEST_HEADER_BYTES;
  const settings = JSON.parse(utf8Text(requests.buffer, from, at + requests.length));
  state.define(settings as QueueSettings);
  const reply = claimReply(replies, 0);
  answer(requests, at, replies, reply, NO_ERROR, 0, 0);
});

handler(codec.OP_MOVE, (parts, requests, at, replies, now) => {
  const { view } = requests;
  const max = Math.min(view.getUint16(at + codec.COUNT_AT, true), BATCH_ENTRIES_MAX);
  parts.state.move(
    view.getUint32(at + codec.QUEUE_ID_AT, true),
    view.getUint32(at + codec.OPERAND_AT, true),
    max,
    (target, slot) => placeElsewhere(parts, target, slot),
    now,
  );
  const { moved, left, stranded, inTransit } = parts.state.moveResult;
  const reply = claimReply(replies, codec.MOVE_RESULT_BYTES);
  replies.view.setUint32(reply + codec.REPLY_HEADER_BYTES, stranded, true);
  replies.view.setUint32(reply + codec.REPLY_HEADER_BYTES + 4, inTransit, true);
  answer(requests, at, replies, reply, NO_ERROR, moved, left, codec.MOVE_RESULT_BYTES);
});

/** The partition where `target` has the group of the message in `slot`, if that is not this one.
 *  Messages of a standard queue are at home everywhere. */
function placeElsewhere(
  { index, partitions, log, state }: PartitionParts,
  target: Queue,
  slot: number,
): number | undefined {
  if (!target.fifo || partitions === 1) return undefined;
  const { table } = state;
  log.read(table.position(slot), Math.min(table.entryBytes(slot), ENTRY_HEAD_BYTES_MAX));
  const from = groupIdOffset(log.readBuffer, log.readOffset);
  const end = from + log.readBuffer[log.readOffset + GROUP_BYTES_AT]!;
  const groupId = utf8Text(log.readBuffer, from, end);
  const place = partitionOfKey(target.settings.placementKey, groupId, partitions);
  return place === index ? undefined : place;
}

handler(codec.OP_TAKE_OVER, ({ log, state }, requests, at, replies, now) => {
  const { buffer, view } = requests;
  const error = log.spaceLow
    ? ERRORS.CAPSTAN_DISK_FULL.number
    : state.transit.takeOver(
        view.getUint32(at + codec.QUEUE_ID_AT, true),
        view.getUint32(at + codec.OPERAND_AT, true),
        buffer,
        view,
        at + codec.REQUEST_HEADER_BYTES,
        view.getUint16(at + codec.COUNT_AT, true),
        now,
      );
  if (error !== NO_ERROR) {
    refuse(requests, at, replies, error);
    return;
  }
  const reply = claimReply(replies, 0);
  answer(requests, at, replies, reply, NO_ERROR, 0, 0);
});

handler(codec.OP_ARRIVED, ({ state }, requests, at, replies, now) => {
  const { view } = requests;
  const left = state.transit.arrived(
    view.getUint32(at + codec.QUEUE_ID_AT, true),
    view.getFloat64(at + codec.REQUEST_HEADER_BYTES, true),
    BATCH_ENTRIES_MAX,
    now,
  );
  const reply = claimReply(replies, 0);
  answer(requests, at, replies, reply, NO_ERROR, left, 0);
});

handler(codec.OP_INSPECT, ({ state }, requests, at, replies) => {
  const counts = state.inspect(requests.view.getUint32(at + codec.QUEUE_ID_AT, true));
  const reply = claimReply(replies, codec.INSPECT_RESULT_BYTES);
  const to = reply + codec.REPLY_HEADER_BYTES;
  replies.view.setUint32(to, counts.visible, true);
  replies.view.setUint32(to + 4, counts.inFlight, true);
  replies.view.setUint32(to + 8, counts.delayed, true);
  replies.view.setFloat64(to + 12, counts.oldestSentAt, true);
  answer(requests, at, replies, reply, NO_ERROR, 0, 0, codec.INSPECT_RESULT_BYTES);
});

handler(codec.OP_STOP, (parts, requests, at, replies) => {
  parts.stopRequested = true;
  const reply = claimReply(replies, 0);
  answer(requests, at, replies, reply, NO_ERROR, 0, 0);
});

handler(codec.OP_FAULT, (parts, requests, at) => {
  assert(parts.faults, 'faults are injected only where that was asked for');
  const kind = codec.FAULT_KINDS[requests.view.getUint16(at + codec.COUNT_AT, true)];
  if (kind === 'exit') process.exit(1);
  if (kind === 'hang') for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error('a fault was injected');
});

/** Writes the header of the reply at `reply` and cuts the frame to it and its results. */
function answer(
  requests: RingReader,
  at: number,
  replies: RingWriter,
  reply: number,
  error: number,
  first: number,
  second: number,
  resultBytes = 0,
): void {
  const { view } = requests;
  const op = requests.buffer[at + codec.OP_AT]!;
  const correlation = view.getUint32(at + codec.CORRELATION_AT, true);
  codec.writeReplyHeader(replies.view, reply, op, error, 0, correlation, first, second);
  replies.shrink(codec.REPLY_HEADER_BYTES + resultBytes);
}
