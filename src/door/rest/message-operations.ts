/* Operations on messages. What the path says decides what a body means, never its content type:
 * `…/messages` takes the bytes as they are, `…/messages/batch` takes JSON. */

import * as z from 'zod';
import { BrokerError, ERRORS, type ErrorCode } from '../../base/errors.ts';
import { BATCH_ENTRIES_MAX, VISIBILITY_TIMEOUT_MS_MAX, WAIT_MS_MAX } from '../../base/limits.ts';
import type { SendOutcome } from '../../broker/service.ts';
import { messageJson, outgoingOf } from './message-json.ts';
import {
  BYTES_BODY,
  jsonBody,
  NO_BODY,
  NO_QUERY,
  type Operation,
  operation,
  queueOf,
} from './operation.ts';
import { problemOf } from './problem.ts';
import * as schemas from './schemas.ts';

const PEEK_MAX_DEFAULT = 10;
const SEND_ERRORS = [
  'CAPSTAN_INVALID_ARGUMENT',
  'CAPSTAN_QUEUE_DOES_NOT_EXIST',
  'CAPSTAN_MESSAGE_TOO_LARGE',
  'CAPSTAN_THROTTLED',
  'CAPSTAN_DISK_FULL',
  'CAPSTAN_PARTITION_RESTARTING',
  'CAPSTAN_PARTITION_FAILED',
] as const satisfies readonly ErrorCode[];
const RECEIPT_ERRORS = [
  'CAPSTAN_INVALID_ARGUMENT',
  'CAPSTAN_QUEUE_DOES_NOT_EXIST',
  'CAPSTAN_RECEIPT_HANDLE_INVALID',
  'CAPSTAN_MESSAGE_NOT_IN_FLIGHT',
  'CAPSTAN_PARTITION_RESTARTING',
  'CAPSTAN_PARTITION_FAILED',
] as const satisfies readonly ErrorCode[];

const sendMessage = operation(
  {
    id: 'sendMessage',
    method: 'POST',
    path: '/v1/queues/{queue}/messages',
    summary: 'Sends one message: the request body, as it is.',
    query: schemas.SEND_QUERY,
    body: BYTES_BODY,
    responses: [{ status: 201, description: 'Accepted, and durable.', schema: schemas.SENT }],
    errors: SEND_ERRORS,
  },
  async (call) => {
    const { service, query, body } = call;
    const [outcome] = await service.send(queueOf(call), [{ ...query, body }]);
    const { error, messageId, sequenceNumber } = outcome!;
    if (error !== undefined) throw new BrokerError(error, 'The message was not accepted.');
    return { status: 201, body: { messageId, sequenceNumber } };
  },
);

function sentJson({ error, messageId, sequenceNumber }: SendOutcome): unknown {
  if (error === undefined) return { messageId, sequenceNumber };
  return { error: problemOf(error, 'The message was not accepted.') };
}

const sendBatch = operation(
  {
    id: 'sendBatch',
    method: 'POST',
    path: '/v1/queues/{queue}/messages/batch',
    summary: 'Sends several messages, given as JSON.',
    description:
      'One that does not fit the schema has all refused; the others are accepted one by one: ' +
      'look at each result.',
    query: NO_QUERY,
    body: jsonBody(schemas.SEND_BATCH),
    responses: [{ status: 200, description: 'A result each.', schema: schemas.SENT_BATCH }],
    errors: [...SEND_ERRORS, 'CAPSTAN_BATCH_TOO_LARGE'],
  },
  async (call) => {
    const outcomes = await call.service.send(queueOf(call), call.body.messages.map(outgoingOf));
    return { status: 200, body: { results: outcomes.map(sentJson) } };
  },
);

const receiveMessages = operation(
  {
    id: 'receiveMessages',
    method: 'POST',
    path: '/v1/queues/{queue}/receive',
    summary: 'Receives messages, and hides them from others for a while.',
    description: 'Delete each by its receipt handle once it is handled, or it comes back.',
    query: z.strictObject({
      max: schemas.wholeText(1, BATCH_ENTRIES_MAX).exactOptional().describe('By default 1.'),
      waitMs: schemas
        .wholeText(0, WAIT_MS_MAX)
        .exactOptional()
        .describe("Waits so long for the first message; by default the queue's receiveWaitMs."),
      visibilityTimeoutMs: schemas.wholeText(0, VISIBILITY_TIMEOUT_MS_MAX).exactOptional(),
      attemptId: z
        .string()
        .min(1)
        .max(128)
        .exactOptional()
        .describe('FIFO: a repeat within five minutes returns the same messages.'),
    }),
    body: NO_BODY,
    responses: [{ status: 200, description: 'Messages, perhaps none.', schema: schemas.RECEIVED }],
    errors: [
      'CAPSTAN_INVALID_ARGUMENT',
      'CAPSTAN_QUEUE_DOES_NOT_EXIST',
      'CAPSTAN_OVER_LIMIT',
      'CAPSTAN_PARTITION_RESTARTING',
      'CAPSTAN_PARTITION_FAILED',
    ],
  },
  async (call) => {
    const { service, query, signal } = call;
    const { max = 1 } = query;
    const messages = await service.receive(queueOf(call), { ...query, max, signal });
    return { status: 200, body: { messages: messages.map((m) => messageJson(m, true)) } };
  },
);

const peekMessages = operation(
  {
    id: 'peekMessages',
    method: 'GET',
    path: '/v1/queues/{queue}/messages',
    summary: 'Looks at messages, the oldest first, without receiving them.',
    query: z.strictObject({
      max: schemas
        .wholeText(1, BATCH_ENTRIES_MAX)
        .exactOptional()
        .describe(`By default ${PEEK_MAX_DEFAULT}.`),
    }),
    body: NO_BODY,
    responses: [{ status: 200, description: 'Messages.', schema: schemas.PEEKED_LIST }],
    errors: ['CAPSTAN_INVALID_ARGUMENT', 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
  },
  async (call) => {
    const { max = PEEK_MAX_DEFAULT } = call.query;
    const messages = await call.service.peek(queueOf(call), max);
    return { status: 200, body: { messages: messages.map((m) => messageJson(m, false)) } };
  },
);

/** What the only receipt of a call came to. */
function requireDone([error]: (ErrorCode | undefined)[]): void {
  if (error === undefined) return;
  const { status } = ERRORS[error];
  const detail = status < 500 ? 'The receipt handle does not serve.' : 'The message is unchanged.';
  throw new BrokerError(error, detail);
}

const deleteMessage = operation(
  {
    id: 'deleteMessage',
    method: 'DELETE',
    path: '/v1/queues/{queue}/messages/{receiptHandle}',
    summary: 'Deletes a received message.',
    description: 'Deleting it twice succeeds.',
    query: NO_QUERY,
    body: NO_BODY,
    responses: [{ status: 204, description: 'Gone, durably.' }],
    errors: RECEIPT_ERRORS,
  },
  async (call) => {
    requireDone(await call.service.delete(queueOf(call), [call.path['receiptHandle']!]));
    return { status: 204 };
  },
);

const changeVisibility = operation(
  {
    id: 'changeVisibility',
    method: 'POST',
    path: '/v1/queues/{queue}/messages/{receiptHandle}/visibility',
    summary: 'Extends the time for which a received message is hidden, or ends it.',
    query: z.strictObject({
      timeoutMs: schemas
        .wholeText(0, VISIBILITY_TIMEOUT_MS_MAX)
        .describe('From now; 0 makes it visible at once.'),
    }),
    body: NO_BODY,
    responses: [{ status: 204, description: 'Changed, durably.' }],
    errors: RECEIPT_ERRORS,
  },
  async (call) => {
    const { service, path, query } = call;
    const receipts = [path['receiptHandle']!];
    requireDone(await service.changeVisibility(queueOf(call), receipts, [query.timeoutMs]));
    return { status: 204 };
  },
);

export const MESSAGE_OPERATIONS: readonly Operation[] = [
  sendMessage,
  sendBatch,
  receiveMessages,
  peekMessages,
  deleteMessage,
  changeVisibility,
];
