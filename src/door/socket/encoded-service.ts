/* The calls of a native service over those that every broker has: each message and each receipt is
 * unpacked and packed. For brokers without encoded calls of their own, and for what those leave to
 * it. */

import { assert } from '../../base/assert.ts';
import { BrokerError, ERRORS, NO_ERROR } from '../../base/errors.ts';
import type {
  EncodedReceive,
  EntryBlock,
  EntrySink,
  MessageSink,
  ReceiptBlock,
  ResultSink,
} from '../../broker/native-service.ts';
import type {
  DeliveredMessage,
  PendingReceive,
  QueueService,
  ReceiveOptions,
  SendOutcome,
} from '../../broker/service.ts';
import * as entry from '../../command/message-entry.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import * as delivery from '../../wire/delivery.ts';

export function asBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new BrokerError('CAPSTAN_INTERNAL', `A call failed: ${detail}.`, { cause: error });
}

/** Sends those of the entries that `errors` has no number for. */
export function sendDecoded(
  service: QueueService,
  queue: QueueDefinition,
  block: EntryBlock,
  errors: Uint8Array | undefined,
  sink: EntrySink,
): void {
  const results = new Uint8Array(block.count * delivery.SENT_RESULT_BYTES);
  const places: number[] = [];
  const messages: entry.OutgoingMessage[] = [];
  const copy = Buffer.from(block.buffer.subarray(block.at, block.at + block.length));
  const view = new DataView(copy.buffer, copy.byteOffset, copy.length);
  let at = 0;
  for (let i = 0; i < block.count; i++) {
    const error = errors === undefined ? NO_ERROR : errors[i]!;
    if (error === NO_ERROR) {
      places.push(i);
      messages.push(messageAt(copy, view, at));
    } else {
      results[i * delivery.SENT_RESULT_BYTES] = error;
    }
    at += view.getUint32(at + entry.ENTRY_BYTES_AT, true);
  }
  if (messages.length === 0) {
    sink.onSentEach(results);
    return;
  }
  service.send(queue, messages).then(
    (outcomes) => {
      for (const [i, outcome] of outcomes.entries()) {
        writeOutcome(outcome, results, places[i]! * delivery.SENT_RESULT_BYTES);
      }
      sink.onSentEach(results);
    },
    (error: unknown) => sink.onFailure(asBrokerError(error)),
  );
}

function messageAt(bytes: Buffer, view: DataView, at: number): entry.OutgoingMessage {
  const flags = bytes[at + entry.FLAGS_AT]!;
  const end = at + view.getUint32(at + entry.ENTRY_BYTES_AT, true);
  const delayMs = view.getUint32(at + entry.DELAY_MS_AT, true);
  const part = (from: number, lengthAt: number): string | undefined => {
    const length = bytes[at + lengthAt]!;
    return length === 0 ? undefined : bytes.toString('utf8', from, from + length);
  };
  const attributesAt = entry.attributesOffset(bytes, at);
  const body = bytes.subarray(entry.bodyOffset(view, at), end);
  return {
    body: (flags & entry.FLAG_TEXT) === 0 ? body : body.toString('utf8'),
    groupId: part(entry.groupIdOffset(bytes, at), entry.GROUP_BYTES_AT),
    deduplicationId: part(entry.deduplicationIdOffset(bytes, at), entry.DEDUPLICATION_BYTES_AT),
    traceHeader: part(entry.traceHeaderOffset(bytes, at), entry.TRACE_BYTES_AT),
    delayMs: delayMs === entry.DELAY_OF_QUEUE ? undefined : delayMs,
    attributes:
      (flags & entry.FLAG_ATTRIBUTES) === 0
        ? undefined
        : bytes.subarray(attributesAt + 4, attributesAt + 4 + view.getUint32(attributesAt, true)),
  };
}

function writeOutcome(outcome: SendOutcome, results: Uint8Array, at: number): void {
  const { error, messageId, sequenceNumber } = outcome;
  if (error !== undefined) {
    results[at] = ERRORS[error].number;
    return;
  }
  const view = new DataView(results.buffer, results.byteOffset);
  view.setFloat64(at + delivery.SENT_RESULT_SEQUENCE_AT, sequenceNumber, true);
  results.set(idBytes(messageId), at + delivery.SENT_RESULT_ID_AT);
}

function idBytes(messageId: string): Uint8Array {
  return Buffer.from(messageId.replaceAll('-', ''), 'hex');
}

export function receiveDecoded(
  service: QueueService,
  queue: QueueDefinition,
  options: EncodedReceive,
  sink: MessageSink,
): PendingReceive {
  if (!sink.admit()) {
    sink.onParked();
    return { cancel: () => undefined };
  }
  const abort = new AbortController();
  const receive: ReceiveOptions = { ...options, signal: abort.signal };
  service.receive(queue, receive).then(
    (messages) => {
      const bytes = encodeDeliveries(service, messages, true);
      sink.onMessages(bytes, 0, bytes.length, messages.length);
    },
    (error: unknown) => sink.onFailure(asBrokerError(error)),
  );
  return { cancel: () => abort.abort() };
}

/** Messages as deliveries, one after the other. @param receipts false for messages that were only
 *  looked at. */
export function encodeDeliveries(
  service: QueueService,
  messages: readonly DeliveredMessage[],
  receipts: boolean,
): Buffer {
  const bounds = messages.map(
    ({ attributeBlock, body }) =>
      delivery.DELIVERY_HEADER_BYTES +
      entry.ENTRY_HEADER_BYTES +
      entry.MD5_BYTES +
      3 * 256 +
      4 +
      (attributeBlock?.length ?? 0) +
      body.length,
  );
  const bytes = Buffer.alloc(bounds.reduce((sum, bound) => sum + bound, 0));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  for (const message of messages) {
    if (receipts) {
      const written = delivery.writeReceiptText(message.receiptHandle, bytes, at);
      assert(written, 'a receipt handle of our own is one');
    }
    const source = message.deadLetterSource;
    const sourceId = source === undefined ? 0 : (service.findQueue(source)?.queueId ?? 0);
    view.setUint32(at + delivery.DELIVERY_SOURCE_AT, sourceId, true);
    view.setFloat64(at + delivery.DELIVERY_SEQUENCE_AT, message.sequenceNumber, true);
    view.setFloat64(at + delivery.DELIVERY_SENT_AT, message.sentAtMs, true);
    view.setFloat64(at + delivery.DELIVERY_FIRST_RECEIVED_AT, message.firstReceivedAtMs, true);
    view.setUint32(at + delivery.DELIVERY_COUNT_AT, message.receiveCount, true);
    const { attributeBlock: attributes } = message;
    const id = idBytes(message.messageId);
    const entryAt = at + delivery.DELIVERY_HEADER_BYTES;
    const { body, groupId, deduplicationId, traceHeader, md5 } = message;
    const outgoing = { body, groupId, deduplicationId, traceHeader, md5, attributes };
    at = entry.encodeEntry(outgoing, id, bytes, view, entryAt);
  }
  return bytes.subarray(0, at);
}

/** The handles of a block whose receipts are `stride` bytes apart. */
function handlesOf({ buffer, at, count }: ReceiptBlock, stride: number): string[] {
  return Array.from({ length: count }, (_, i) => delivery.receiptText(buffer, at + i * stride));
}

export function deleteDecoded(
  service: QueueService,
  queue: QueueDefinition,
  block: ReceiptBlock,
  sink: ResultSink,
): void {
  answer(service.delete(queue, handlesOf(block, delivery.RECEIPT_BYTES)), sink);
}

export function changeVisibilityDecoded(
  service: QueueService,
  queue: QueueDefinition,
  block: ReceiptBlock,
  sink: ResultSink,
): void {
  const { view, at, count } = block;
  const stride = delivery.TIMED_RECEIPT_BYTES;
  const timeoutsMs = Array.from({ length: count }, (_, i) =>
    view.getUint32(at + i * stride + delivery.RECEIPT_BYTES, true),
  );
  answer(service.changeVisibility(queue, handlesOf(block, stride), timeoutsMs), sink);
}

function answer(call: ReturnType<QueueService['delete']>, sink: ResultSink): void {
  call.then(
    (errors) => {
      const failed = errors.some((error) => error !== undefined);
      const number = (code: (typeof errors)[number]) =>
        code === undefined ? NO_ERROR : ERRORS[code].number;
      sink.onResults(failed ? Uint8Array.from(errors, number) : undefined);
    },
    (error: unknown) => sink.onFailure(asBrokerError(error)),
  );
}
