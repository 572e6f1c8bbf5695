/* What each request does. A handler reads its frame to the end, whatever comes of it, so that the
 * next frame of the message is found. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { BrokerError } from '../../base/errors.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  ENTRY_OVERHEAD_BYTES_MAX,
  FRAME_BYTES_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
  WAIT_MS_MAX,
} from '../../base/limits.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import { RECEIPT_BYTES, TIMED_RECEIPT_BYTES } from '../../wire/delivery.ts';
import {
  ATTEMPT_ID_CHARS_MAX,
  CLOSE,
  CREDIT_MAX,
  FRAME,
  HANDLES_MAX,
  malformed,
  PENDING_REQUESTS_MAX,
  PROTOCOL_VERSION,
  ProtocolViolation,
  QUEUE_NAME_CHARS_MAX,
  SOCKET_MESSAGE_BYTES_MAX,
  SUBSCRIPTIONS_MAX,
  TOKEN_CHARS_MAX,
} from '../../wire/frame.ts';
import type { FrameReader } from '../../wire/frame-reader.ts';
import { ReceiptsAnswer, SendAnswer } from './answers.ts';
import { call } from './calls.ts';
import { sendDecoded } from './encoded-service.ts';
import { ReceiveRequest } from './receive-request.ts';
import type { Handler, OpenReceive, Session } from './session.ts';
import { Subscription } from './subscription.ts';

function invalid(detail: string): BrokerError {
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

/** Whether a text is the token; takes equally long whatever the text. */
function isToken(text: unknown, token: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return typeof text === 'string' && timingSafeEqual(digest(text), digest(token));
}

/** The options of a frame: a map, or nil for none. */
function optionsOf(reader: FrameReader): Readonly<Record<string, unknown>> {
  const value = reader.value();
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed('Options are a map.');
  return value as Record<string, unknown>;
}

function hello(session: Session, reader: FrameReader): void {
  const correlation = session.request(reader);
  const version = reader.uint();
  const { token } = optionsOf(reader);
  if (version !== PROTOCOL_VERSION) {
    const reason = `This server speaks version ${PROTOCOL_VERSION}, not ${version}.`;
    throw new ProtocolViolation(CLOSE.VERSION, reason);
  }
  const expected = session.context.token;
  if (typeof token === 'string' && token.length > TOKEN_CHARS_MAX) {
    throw malformed(`A token has at most ${TOKEN_CHARS_MAX} characters.`);
  }
  if (expected !== undefined && !isToken(token, expected)) {
    throw new ProtocolViolation(CLOSE.UNAUTHORIZED, 'The token is missing or wrong.');
  }
  session.greet();
  const writer = session.answer(FRAME.WELCOME, 4, correlation);
  writer.uint(PROTOCOL_VERSION);
  writer.value({
    messageBytesMax: SOCKET_MESSAGE_BYTES_MAX,
    pendingRequestsMax: PENDING_REQUESTS_MAX,
    handlesMax: HANDLES_MAX,
    subscriptionsMax: SUBSCRIPTIONS_MAX,
    batchEntriesMax: BATCH_ENTRIES_MAX,
    batchBytesMax: BATCH_BYTES_MAX,
  });
}

function bind(session: Session, reader: FrameReader): void {
  const handle = reader.uint();
  const name = reader.string(QUEUE_NAME_CHARS_MAX);
  if (handle >= HANDLES_MAX) {
    throw new ProtocolViolation(CLOSE.OVER_LIMIT, `A handle is below ${HANDLES_MAX}.`);
  }
  session.queueNames[handle] = name;
}

/** Reads a handle; returns the name that is bound to it. */
function boundName(session: Session, reader: FrameReader): string {
  const handle = reader.uint();
  const name = session.queueNames[handle];
  if (name !== undefined) return name;
  throw new ProtocolViolation(CLOSE.UNEXPECTED, `The handle ${handle} is not bound.`);
}

/** The queue of that name; otherwise answers that there is none. */
function findQueue(
  session: Session,
  name: string,
  correlation: number,
): QueueDefinition | undefined {
  const queue = session.service.findQueue(name);
  if (queue === undefined) {
    const detail = `There is no queue "${name}".`;
    session.fail(correlation, new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', detail));
  }
  return queue;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function batchTooLarge(count: number, length: number): BrokerError | undefined {
  let detail: string;
  if (count > BATCH_ENTRIES_MAX) {
    detail = `A batch holds at most ${BATCH_ENTRIES_MAX} entries; this one has ${count}.`;
  } else if (
    length > BATCH_BYTES_MAX + count * ENTRY_OVERHEAD_BYTES_MAX ||
    length > FRAME_BYTES_MAX
  ) {
    detail = `A batch holds at most ${BATCH_BYTES_MAX} bytes; this one has ${length}.`;
  } else {
    return undefined;
  }
  return new BrokerError('CAPSTAN_BATCH_TOO_LARGE', detail);
}

function send(session: Session, reader: FrameReader): void {
  const correlation = session.request(reader);
  const name = boundName(session, reader);
  const count = reader.uint();
  reader.bytesField();
  const { bytes, view, fieldAt: at, fieldLength: length } = reader;
  if (count === 0) throw malformed('A batch has at least one entry.');
  const queue = findQueue(session, name, correlation);
  if (queue === undefined) return;
  const refusal = batchTooLarge(count, length);
  if (refusal !== undefined) {
    session.fail(correlation, refusal);
    return;
  }
  const { entryCheck: check } = session.context;
  check.run(bytes, view, at, length, count, queue.attributes);
  const block = { buffer: bufferOf(bytes), view, at, length, count, keyed: check.keyed };
  const sink = new SendAnswer(session, correlation, count);
  if (check.flawed > 0 || check.unidentified) {
    sendDecoded(session.service, queue, block, check.errors, sink);
    return;
  }
  session.service.sendEncoded(queue, block, sink);
}

function receive(session: Session, reader: FrameReader): void {
  const correlation = session.request(reader);
  const name = boundName(session, reader);
  const max = reader.uint();
  const waitMs = reader.uintOrNil();
  const visibilityTimeoutMs = reader.uintOrNil();
  if (pendingReceive(session, correlation) !== undefined) {
    throw new ProtocolViolation(CLOSE.UNEXPECTED, `The request ${correlation} is pending already.`);
  }
  const attemptId = reader.nil() ? undefined : reader.string(ATTEMPT_ID_CHARS_MAX);
  const queue = findQueue(session, name, correlation);
  if (queue === undefined) return;
  let flaw: string | undefined;
  if (max < 1 || max > BATCH_ENTRIES_MAX) flaw = `max is ${max}: 1 to ${BATCH_ENTRIES_MAX}.`;
  if (waitMs !== undefined && waitMs > WAIT_MS_MAX) flaw = `waitMs is ${waitMs}: 0 to 20,000.`;
  flaw ??= timeoutFlaw(visibilityTimeoutMs);
  if (flaw !== undefined) {
    session.fail(correlation, invalid(flaw));
    return;
  }
  const options = {
    max,
    waitMs: waitMs ?? queue.attributes.receiveWaitMs,
    visibilityTimeoutMs,
    attemptId,
  };
  new ReceiveRequest(session, correlation, name, options).resume();
}

function timeoutFlaw(timeoutMs: number | undefined): string | undefined {
  if (timeoutMs === undefined || timeoutMs <= VISIBILITY_TIMEOUT_MS_MAX) return undefined;
  return `A visibility timeout is 0 to ${VISIBILITY_TIMEOUT_MS_MAX} ms, not ${timeoutMs}.`;
}

/** A batch of receipts, `stride` bytes each; undefined: it has been refused. */
function receiptsOf(session: Session, reader: FrameReader, stride: number) {
  const correlation = session.request(reader);
  const name = boundName(session, reader);
  const count = reader.uint();
  reader.bytesField();
  const { bytes, view, fieldAt: at } = reader;
  if (count === 0 || reader.fieldLength !== count * stride) {
    throw malformed(`A batch has at least one receipt; each takes ${stride} bytes.`);
  }
  const queue = findQueue(session, name, correlation);
  if (queue === undefined) return undefined;
  const refusal = batchTooLarge(count, 0);
  if (refusal !== undefined) {
    session.fail(correlation, refusal);
    return undefined;
  }
  return { correlation, queue, name, block: { buffer: bufferOf(bytes), view, at, count } };
}

/** Receipts of a subscription that releases on close are in nobody's hand any longer. */
function settle(
  session: Session,
  name: string,
  { buffer, at, count }: { buffer: Buffer; at: number; count: number },
  stride: number,
): void {
  if (session.releasing === 0) return;
  for (const { inHand, queueName } of session.subscriptions.values()) {
    if (inHand === undefined || queueName !== name) continue;
    for (let i = 0; i < count; i++) inHand.settle(buffer, at + i * stride);
  }
}

function remove(session: Session, reader: FrameReader): void {
  const batch = receiptsOf(session, reader, RECEIPT_BYTES);
  if (batch === undefined) return;
  settle(session, batch.name, batch.block, RECEIPT_BYTES);
  const sink = new ReceiptsAnswer(session, batch.correlation, batch.block.count, true);
  session.service.deleteEncoded(batch.queue, batch.block, sink);
}

function changeVisibility(session: Session, reader: FrameReader, release: boolean): void {
  const batch = receiptsOf(session, reader, TIMED_RECEIPT_BYTES);
  if (batch === undefined) return;
  const { view, at, count } = batch.block;
  for (let i = 0; i < count; i++) {
    const timeoutAt = at + i * TIMED_RECEIPT_BYTES + RECEIPT_BYTES;
    const flaw = timeoutFlaw(view.getUint32(timeoutAt, true));
    if (flaw === undefined) continue;
    session.fail(batch.correlation, invalid(flaw));
    return;
  }
  if (release) settle(session, batch.name, batch.block, TIMED_RECEIPT_BYTES);
  const sink = new ReceiptsAnswer(session, batch.correlation, count, false);
  session.service.changeVisibilityEncoded(batch.queue, batch.block, sink);
}

function cancel(session: Session, reader: FrameReader): void {
  pendingReceive(session, reader.uint())?.cancel();
}

/** A client has few receives at a time, and at most PENDING_REQUESTS_MAX. */
function pendingReceive(session: Session, correlation: number): OpenReceive | undefined {
  for (const pending of session.receives) {
    if (pending.correlation === correlation) return pending;
  }
  return undefined;
}

function wholeNumber(value: unknown, what: string, min: number, max: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  throw malformed(`${what} is a whole number from ${min} to ${max}.`);
}

function subscribe(session: Session, reader: FrameReader): void {
  const correlation = session.request(reader);
  const id = reader.uint();
  const queueName = boundName(session, reader);
  const credit = reader.uint();
  const options = optionsOf(reader);
  const timeout = options['visibilityTimeoutMs'];
  const visibilityTimeoutMs = wholeNumber(timeout, 'A timeout', 0, VISIBILITY_TIMEOUT_MS_MAX);
  const batchMax = wholeNumber(options['batchMax'], 'batchMax', 1, BATCH_ENTRIES_MAX);
  const releaseOnClose = options['releaseOnClose'] === true;
  if (session.subscriptions.has(id)) {
    throw new ProtocolViolation(CLOSE.UNEXPECTED, `The subscription ${id} is there already.`);
  }
  if (session.subscriptions.size >= SUBSCRIPTIONS_MAX || credit > CREDIT_MAX) {
    throw new ProtocolViolation(CLOSE.OVER_LIMIT, 'Too many subscriptions, or too much credit.');
  }
  const queue = findQueue(session, queueName, correlation);
  if (queue === undefined) return;
  const all = { id, queueName, credit, visibilityTimeoutMs, batchMax, releaseOnClose };
  const subscription = new Subscription(session, all);
  session.subscriptions.set(id, subscription);
  if (releaseOnClose) session.releasing++;
  session.answer(FRAME.RESULT, 3, correlation).value({
    visibilityTimeoutMs: visibilityTimeoutMs ?? queue.attributes.visibilityTimeoutMs,
  });
  subscription.pump();
}

function grant(session: Session, reader: FrameReader): void {
  const id = reader.uint();
  const granted = reader.uint();
  // A subscription that has just been ended by the server may still be granted credit.
  session.subscriptions.get(id)?.grant(granted);
}

function unsubscribe(session: Session, reader: FrameReader): void {
  const correlation = session.request(reader);
  const subscription = session.subscriptions.get(reader.uint());
  if (subscription === undefined) {
    session.answer(FRAME.DONE, 2, correlation);
    return;
  }
  subscription.stop(() => {
    if (session.closed) return;
    session.dropSubscription(subscription);
    session.answer(FRAME.DONE, 2, correlation);
  });
}

function ping(session: Session, reader: FrameReader): void {
  session.answer(FRAME.DONE, 2, session.request(reader));
}

export const HANDLERS: Readonly<Record<number, Handler | undefined>> = {
  [FRAME.HELLO]: hello,
  [FRAME.BIND]: bind,
  [FRAME.SEND]: send,
  [FRAME.RECEIVE]: receive,
  [FRAME.DELETE]: remove,
  [FRAME.EXTEND]: (session, reader) => changeVisibility(session, reader, false),
  [FRAME.RELEASE]: (session, reader) => changeVisibility(session, reader, true),
  [FRAME.CANCEL]: cancel,
  [FRAME.SUBSCRIBE]: subscribe,
  [FRAME.CREDIT]: grant,
  [FRAME.UNSUBSCRIBE]: unsubscribe,
  [FRAME.CALL]: call,
  [FRAME.PING]: ping,
};
