/* Requests and replies as a router writes and reads them, with whatever a simulation wants to
 * know. */

import { errorCodeOf, NO_ERROR } from '../../src/base/errors.ts';
import * as codec from '../../src/command/command-codec.ts';
import { bodyOffset, ENTRY_BYTES_AT, encodeEntry } from '../../src/command/message-entry.ts';
import type { DuplexClientEnd } from '../../src/ring/duplex.ts';
import { INSUFFICIENT } from '../../src/ring/spsc-ring.ts';

export interface SentMessage {
  readonly id: number;
  readonly groupId: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly delayMs: number | undefined;
  readonly padding: number;
}

export interface Receipt {
  readonly slot: number;
  readonly sequence: number;
  readonly delivery: number;
}

export interface Delivery extends Receipt {
  readonly id: number;
  readonly count: number;
  readonly source: number;
}

export type Request =
  | { readonly op: 'send'; readonly queueId: number; readonly messages: readonly SentMessage[] }
  | {
      readonly op: 'receive';
      readonly queueId: number;
      readonly max: number;
      readonly timeoutMs: number;
    }
  | { readonly op: 'delete'; readonly queueId: number; readonly receipts: readonly Receipt[] }
  | {
      readonly op: 'change';
      readonly queueId: number;
      readonly receipts: readonly Receipt[];
      readonly timeoutMs: number;
    }
  | { readonly op: 'purge'; readonly queueId: number }
  | { readonly op: 'move'; readonly queueId: number; readonly max: number };

export interface SendOutcome {
  readonly error: string | undefined;
  readonly duplicate: boolean;
  readonly sequence: number;
}

export interface Reply {
  readonly correlation: number;
  readonly error: string | undefined;
  readonly outcomes: SendOutcome[];
  readonly deliveries: Delivery[];
  readonly results: (string | undefined)[];
}

const REQUEST_BYTES_MAX = 64 * 1024;

/** Puts a request into the ring. False: there is no room. */
export function putRequest(end: DuplexClientEnd, request: Request, correlation: number): boolean {
  const at = end.requests.claim(REQUEST_BYTES_MAX);
  if (at === INSUFFICIENT) return false;
  const { buffer, view } = end.requests;
  const header = (op: number, count: number, operand = 0) =>
    codec.writeRequestHeader(view, at, op, count, correlation, request.queueId, operand);
  let to = at + codec.REQUEST_HEADER_BYTES;
  if (request.op === 'send') {
    header(codec.OP_SEND, request.messages.length);
    for (const { id, padding, ...rest } of request.messages) {
      const messageId = new Uint8Array(16);
      new DataView(messageId.buffer).setUint32(12, id);
      const body = `${id}:${'x'.repeat(padding)}:${id}`;
      to = encodeEntry({ body, ...rest }, messageId, buffer, view, to);
    }
  } else if (request.op === 'receive') {
    header(codec.OP_RECEIVE, request.max, codec.REPLY_SPACE_MIN);
    view.setInt32(at + codec.RECEIVE_TIMEOUT_AT, request.timeoutMs, true);
    view.setFloat64(at + codec.RECEIVE_ATTEMPT_AT, 0, true);
    to = at + codec.RECEIVE_REQUEST_BYTES;
  } else if (request.op === 'purge') {
    header(codec.OP_PURGE, 0);
  } else if (request.op === 'move') {
    header(codec.OP_MOVE, request.max);
  } else {
    const change = request.op === 'change';
    header(change ? codec.OP_CHANGE_VISIBILITY : codec.OP_DELETE, request.receipts.length);
    for (const { slot, sequence, delivery } of request.receipts) {
      view.setUint32(to, slot, true);
      view.setUint32(to + 4, sequence >>> 0, true);
      view.setUint32(to + 8, delivery, true);
      to += 12;
      if (!change) continue;
      view.setUint32(to, request.timeoutMs, true);
      to += 4;
    }
  }
  end.requests.shrink(to - at);
  end.requests.publish();
  return true;
}

/** Takes the next reply from the ring, past notices; undefined when there is none. */
export function takeReply(
  end: DuplexClientEnd,
  requestOf: (correlation: number) => Request,
): Reply | undefined {
  const { replies } = end;
  while (replies.next()) {
    const correlation = replies.view.getUint32(replies.offset + codec.CORRELATION_AT, true);
    if (correlation === 0) continue;
    const reply = readReply(replies.buffer, replies.view, replies.offset, requestOf(correlation));
    replies.release();
    return { correlation, ...reply };
  }
  replies.release();
  return undefined;
}

function readReply(
  buffer: Buffer,
  view: DataView,
  at: number,
  request: Request,
): Omit<Reply, 'correlation'> {
  const number = buffer[at + codec.ERROR_AT]!;
  const error = number === NO_ERROR ? undefined : errorCodeOf(number);
  const outcomes: SendOutcome[] = [];
  const deliveries: Delivery[] = [];
  const results: (string | undefined)[] = [];
  const uniform = view.getUint32(at + codec.FIRST_AT, true) === codec.UNIFORM;
  let from = at + codec.REPLY_HEADER_BYTES;
  if (error === undefined && request.op === 'send') {
    for (let i = 0; i < request.messages.length; i++) {
      outcomes.push(
        uniform ? sent(view.getFloat64(from, true) + i) : outcomeAt(buffer, view, from),
      );
      if (!uniform) from += codec.SEND_RESULT_BYTES;
    }
  } else if (error === undefined && request.op === 'receive') {
    for (let left = view.getUint16(at + codec.COUNT_AT, true); left > 0; left--) {
      const delivery = deliveryAt(buffer, view, from);
      deliveries.push(delivery);
      from += codec.DELIVERY_HEADER_BYTES;
      from += view.getUint32(from + ENTRY_BYTES_AT, true);
    }
  } else if (request.op === 'delete' || request.op === 'change') {
    for (let i = 0; i < request.receipts.length; i++) {
      const result = uniform ? NO_ERROR : buffer[from + i]!;
      results.push(error ?? (result === NO_ERROR ? undefined : errorCodeOf(result)));
    }
  }
  return { error, outcomes, deliveries, results };
}

function sent(sequence: number): SendOutcome {
  return { error: undefined, duplicate: false, sequence };
}

function outcomeAt(buffer: Buffer, view: DataView, from: number): SendOutcome {
  return {
    error: buffer[from] === NO_ERROR ? undefined : errorCodeOf(buffer[from]!),
    duplicate: buffer[from + codec.SEND_RESULT_DUPLICATE_AT] !== 0,
    sequence: view.getFloat64(from + codec.SEND_RESULT_SEQUENCE_AT, true),
  };
}

function deliveryAt(buffer: Buffer, view: DataView, from: number): Delivery {
  const entryAt = from + codec.DELIVERY_HEADER_BYTES;
  const end = entryAt + view.getUint32(entryAt + ENTRY_BYTES_AT, true);
  const body = buffer.toString('latin1', bodyOffset(view, entryAt), end);
  const id = Number.parseInt(body, 10);
  if (!body.endsWith(`:${id}`)) throw new Error(`a body is damaged: ${body.slice(0, 40)}`);
  return {
    id,
    slot: view.getUint32(from + codec.SEALED_SLOT_AT),
    delivery: view.getUint32(from + codec.SEALED_DELIVERY_AT),
    sequence: view.getFloat64(from + codec.DELIVERY_SEQUENCE_AT, true),
    count: view.getUint32(from + codec.DELIVERY_COUNT_AT, true),
    source: view.getUint32(from + codec.DELIVERY_SOURCE_AT, true),
  };
}
