/* What the REST door takes and gives, as schemas: requests are checked against them, the OpenAPI
 * document is made of them, and tests hold answers against them. Those in `COMPONENTS` have a name
 * in the document. */

import * as z from 'zod';
import { ERRORS } from '../../base/errors.ts';
import {
  BATCH_ENTRIES_MAX,
  DEDUPLICATION_ID_BYTES_MAX,
  GROUP_ID_BYTES_MAX,
  IN_FLIGHT_MAX_CEILING,
  MAX_RECEIVE_COUNT_MAX,
  MESSAGE_ATTRIBUTES_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_BYTES_MAX_FLOOR,
  REDRIVE_SOURCES_MAX,
  RETENTION_MS_MAX,
  RETENTION_MS_MIN,
  RETRY_BACKOFF_FACTOR_MAX,
  TAG_KEY_CHARS_MAX,
  TAG_VALUE_CHARS_MAX,
  TAGS_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
  WAIT_MS_MAX,
} from '../../base/limits.ts';

export const COMPONENTS = z.registry<{ id: string }>();

function component<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  COMPONENTS.add(schema, { id });
  return schema;
}

function whole(min: number, max: number) {
  return z.int().min(min).max(max);
}

/** A whole number in a query string. */
export function wholeText(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(whole(min, max));
}

// Queues.

const RETRY_BACKOFF = component(
  'RetryBackoff',
  z
    .strictObject({
      baseMs: whole(0, VISIBILITY_TIMEOUT_MS_MAX),
      factor: z.number().min(1).max(RETRY_BACKOFF_FACTOR_MAX),
      maxMs: whole(0, VISIBILITY_TIMEOUT_MS_MAX),
    })
    .describe('Least delay before a redelivery: min(maxMs, baseMs * factor^(receiveCount - 1)).'),
);
const REDRIVE_POLICY = component(
  'RedrivePolicy',
  z
    .strictObject({
      deadLetterQueue: z.string().describe('Name of an existing queue of the same kind.'),
      maxReceiveCount: whole(1, MAX_RECEIVE_COUNT_MAX),
    })
    .describe('Where messages go that were received too often.'),
);
const REDRIVE_ALLOW_POLICY = component(
  'RedriveAllowPolicy',
  z
    .strictObject({
      permission: z.enum(['allowAll', 'denyAll', 'byQueue']),
      sourceQueues: z.array(z.string()).max(REDRIVE_SOURCES_MAX),
    })
    .describe('Which queues may name this one as their dead-letter queue.'),
);

const CHANGEABLE = {
  visibilityTimeoutMs: whole(0, VISIBILITY_TIMEOUT_MS_MAX).describe(
    'How long a received message is hidden from other consumers.',
  ),
  delayMs: whole(0, RETENTION_MS_MAX).describe(
    'How long a new message stays hidden; at most its retention.',
  ),
  retentionMs: whole(RETENTION_MS_MIN, RETENTION_MS_MAX).describe('How long a message is kept.'),
  messageBytesMax: whole(MESSAGE_BYTES_MAX_FLOOR, MESSAGE_BYTES_MAX),
  receiveWaitMs: whole(0, WAIT_MS_MAX).describe('How long a receive waits that does not say.'),
  contentBasedDeduplication: z.boolean(),
  deduplicationScope: z.enum(['queue', 'messageGroup']),
  throughputLimit: z.enum(['perQueue', 'perMessageGroupId']),
  inFlightMax: whole(1, IN_FLIGHT_MAX_CEILING).describe('Received and not yet deleted, at most.'),
};
const KIND = z.boolean().describe('Fixed at creation; by default whether the name ends in .fifo.');
const TAG_KEY = z.string().min(1).max(TAG_KEY_CHARS_MAX);
const TAG_VALUE = z.string().max(TAG_VALUE_CHARS_MAX);
const TAGS = z
  .record(TAG_KEY, TAG_VALUE)
  .refine((tags) => Object.keys(tags).length <= TAGS_MAX, `at most ${TAGS_MAX} tags`);
const CHANGEABLE_OPTIONAL = {
  visibilityTimeoutMs: CHANGEABLE.visibilityTimeoutMs.exactOptional(),
  delayMs: CHANGEABLE.delayMs.exactOptional(),
  retentionMs: CHANGEABLE.retentionMs.exactOptional(),
  messageBytesMax: CHANGEABLE.messageBytesMax.exactOptional(),
  receiveWaitMs: CHANGEABLE.receiveWaitMs.exactOptional(),
  contentBasedDeduplication: CHANGEABLE.contentBasedDeduplication.exactOptional(),
  deduplicationScope: CHANGEABLE.deduplicationScope.exactOptional(),
  throughputLimit: CHANGEABLE.throughputLimit.exactOptional(),
  inFlightMax: CHANGEABLE.inFlightMax.exactOptional(),
};
const POLICIES = {
  redrivePolicy: REDRIVE_POLICY.exactOptional(),
  redriveAllowPolicy: REDRIVE_ALLOW_POLICY.exactOptional(),
  retryBackoff: RETRY_BACKOFF.exactOptional(),
};

/** What is null in a patch is undefined in a change: it is removed. */
function removable<Schema extends z.ZodType>(schema: Schema) {
  return schema
    .nullable()
    .transform((value) => value ?? undefined)
    .exactOptional();
}

export const QUEUE_CREATION = component(
  'QueueCreation',
  z
    .strictObject({
      fifo: KIND.exactOptional(),
      ...CHANGEABLE_OPTIONAL,
      ...POLICIES,
      tags: TAGS.exactOptional(),
    })
    .describe('Attributes of a new queue; those left out have their defaults.'),
);
export const QUEUE_CHANGE = component(
  'QueueChange',
  z
    .strictObject({
      ...CHANGEABLE_OPTIONAL,
      redrivePolicy: removable(REDRIVE_POLICY),
      redriveAllowPolicy: removable(REDRIVE_ALLOW_POLICY),
      retryBackoff: removable(RETRY_BACKOFF),
      tags: z.record(TAG_KEY, TAG_VALUE.nullable()).exactOptional(),
    })
    .describe('Attributes and tags to change: those left out stay, those that are null go.'),
);
const COUNTS = component(
  'QueueCounts',
  z.strictObject({
    visible: z.int().min(0).describe('Could be received.'),
    inFlight: z.int().min(0).describe('Received, and neither deleted nor visible again.'),
    delayed: z.int().min(0).describe('Not visible yet.'),
  }),
);
export const QUEUE = component(
  'Queue',
  z.strictObject({
    name: z.string(),
    attributes: z.strictObject({
      ...CHANGEABLE,
      fifo: KIND,
      ...POLICIES,
      stored: z.record(z.string(), z.string()).describe('Kept for SQS clients, with no effect.'),
    }),
    tags: z.record(z.string(), z.string()),
    counts: COUNTS,
    createdAtMs: z.number(),
    modifiedAtMs: z.number(),
  }),
);
export const QUEUE_DETAIL = component(
  'QueueDetail',
  QUEUE.extend({
    oldestSentAtMs: z
      .number()
      .nullable()
      .describe(
        'When the oldest message was sent, to whatever queue it was; null: the queue is empty. ' +
          'Of many messages in flight or dead-lettered, not all are looked at.',
      ),
    deadLetterSources: z.array(z.string()).describe('Queues that dead-letter into this one.'),
  }),
);
export const QUEUE_LIST = component(
  'QueueList',
  z.strictObject({
    queues: z.array(QUEUE),
    next: z.string().nullable().describe('To be given as `after`; null: these were the last.'),
  }),
);

// Messages.

const ATTRIBUTE_NAME = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'must be of A-Z a-z 0-9 _ - and single dots');
const ATTRIBUTE = component(
  'MessageAttribute',
  z
    .strictObject({
      type: z
        .string()
        .max(256)
        .regex(
          /^(String|Number|Binary)(\..+)?$/,
          'must be String, Number or Binary, or one of them with .custom',
        ),
      value: z.string().min(1).exactOptional(),
      valueBase64: z.base64().min(1).exactOptional().describe('Of a Binary.'),
    })
    .refine(
      ({ type, value, valueBase64 }) =>
        type.startsWith('Binary')
          ? valueBase64 !== undefined && value === undefined
          : value !== undefined && valueBase64 === undefined,
      'a Binary has valueBase64, the others have value',
    ),
);
const ATTRIBUTES = z
  .record(ATTRIBUTE_NAME, ATTRIBUTE)
  .refine(
    (attributes) => Object.keys(attributes).length <= MESSAGE_ATTRIBUTES_MAX,
    `at most ${MESSAGE_ATTRIBUTES_MAX} attributes`,
  );
const GROUP_ID = z.string().min(1).max(GROUP_ID_BYTES_MAX);
const DEDUPLICATION_ID = z.string().min(1).max(DEDUPLICATION_ID_BYTES_MAX);

/** Of a message whose body is the request's body. */
export const SEND_QUERY = z.strictObject({
  groupId: GROUP_ID.exactOptional().describe('Messages of one group keep their order.'),
  deduplicationId: DEDUPLICATION_ID.exactOptional(),
  delayMs: wholeText(0, RETENTION_MS_MAX)
    .exactOptional()
    .describe("Hidden for so long; by default the queue's delay."),
});
const BATCH_MESSAGE = component(
  'OutgoingMessage',
  z
    .strictObject({
      body: z.string().exactOptional(),
      bodyBase64: z.base64().exactOptional().describe('In place of `body`, for other than text.'),
      groupId: GROUP_ID.exactOptional(),
      deduplicationId: DEDUPLICATION_ID.exactOptional(),
      delayMs: whole(0, RETENTION_MS_MAX).exactOptional(),
      attributes: ATTRIBUTES.exactOptional(),
    })
    .refine(
      ({ body, bodyBase64 }) => (body === undefined) !== (bodyBase64 === undefined),
      'a message has either body or bodyBase64',
    ),
);
export type BatchMessage = z.output<typeof BATCH_MESSAGE>;
export const SEND_BATCH = component(
  'SendBatch',
  z.strictObject({ messages: z.array(BATCH_MESSAGE).min(1).max(BATCH_ENTRIES_MAX) }),
);

export const PROBLEM = component(
  'Problem',
  z
    .strictObject({
      type: z.string(),
      title: z.string(),
      status: z.int(),
      detail: z.string().describe('What happened this time.'),
      code: z.enum(Object.keys(ERRORS)).describe('Never changes its meaning.'),
      advice: z.string().describe('What to do next.'),
      retryable: z.boolean().describe('The same request may succeed later, unchanged.'),
    })
    .describe('Problem details, RFC 9457.'),
);
export const SENT = component(
  'SentMessage',
  z.strictObject({
    messageId: z.uuid().describe('Of a duplicate: that of the message accepted first.'),
    sequenceNumber: z.number(),
  }),
);
export const SENT_BATCH = component(
  'SentBatch',
  z.strictObject({
    results: z
      .array(z.union([SENT, z.strictObject({ error: PROBLEM })]))
      .describe('One per message, in order.'),
  }),
);

const PEEKED = z.strictObject({
  messageId: z.uuid(),
  body: z.string().exactOptional().describe('Where it is UTF-8.'),
  bodyBase64: z.string().exactOptional().describe('Where it is not.'),
  receiveCount: z.int(),
  sentAtMs: z.number(),
  firstReceivedAtMs: z.number().exactOptional(),
  sequenceNumber: z.number(),
  groupId: z.string().exactOptional(),
  deduplicationId: z.string().exactOptional(),
  traceHeader: z.string().exactOptional(),
  attributes: z.record(z.string(), ATTRIBUTE).exactOptional(),
  deadLetterSource: z.string().exactOptional().describe('The queue it was dead-lettered from.'),
});
const MESSAGE = component(
  'Message',
  PEEKED.extend({
    receiptHandle: z.string().describe('Names this delivery, to delete or extend.'),
  }),
);
export type MessageJson = z.output<typeof PEEKED> & { receiptHandle?: string };
export const RECEIVED = component('Received', z.strictObject({ messages: z.array(MESSAGE) }));
export const PEEKED_LIST = component(
  'Peeked',
  z.strictObject({ messages: z.array(component('PeekedMessage', PEEKED)) }),
);

// Redrive.

export const MOVE_TASK = component(
  'MoveTask',
  z.strictObject({
    taskId: z.string(),
    source: z.string(),
    destination: z.string().nullable().describe('null: each message goes back where it came from.'),
    messagesPerSecondMax: z.int().nullable().describe('null: as fast as it goes.'),
    status: z.enum(['RUNNING', 'COMPLETED', 'CANCELLING', 'CANCELLED', 'FAILED']),
    moved: z.int(),
    toMove: z.int(),
    startedAtMs: z.number(),
    failureReason: z.string().nullable(),
  }),
);
export const MOVE_TASK_LIST = component(
  'MoveTaskList',
  z.strictObject({ tasks: z.array(MOVE_TASK).describe('The newest first.') }),
);
