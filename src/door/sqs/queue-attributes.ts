/* Queue attributes, from the texts of the SQS API to what the catalog keeps, and back.
 *
 * Every attribute of SQS is here. Beyond SQS, under names that no client of Amazon's sends by
 * itself:
 *
 *   name                     value
 *   CapstanDelaySeconds      like DelaySeconds, but up to MessageRetentionPeriod
 *   CapstanInFlightLimit     messages in flight at once, 1 .. 100,000,000; by default SQS's limits
 *   CapstanRetryBackoff      JSON: {"baseSeconds": 1, "factor": 2, "maxSeconds": 300}: a message
 *                            that comes back stays hidden for
 *                            min(maxSeconds, baseSeconds * factor^(receive count - 1)); empty: none
 * They are answered when they are asked for by name, and with `All` where they are not the default.
 * Rule: SQS CreateQueue, SetQueueAttributes, GetQueueAttributes. */

import {
  IN_FLIGHT_MAX_CEILING,
  MESSAGE_BYTES_MAX,
  MESSAGE_BYTES_MAX_FLOOR,
  RETENTION_MS_MAX,
  RETENTION_MS_MIN,
  SQS_DELAY_MS_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
  WAIT_MS_MAX,
} from '../../base/limits.ts';
import type { QueueCounts } from '../../broker/service.ts';
import {
  defaultAttributes,
  type QueueAttributes,
  type QueueDefinition,
} from '../../command/queue-definition.ts';
import type { QueueAddresses } from './queue-address.ts';
import {
  jsonObjectOf,
  readRedriveAllowPolicy,
  readRedrivePolicy,
  readRetryBackoff,
  writeRedriveAllowPolicy,
  writeRedrivePolicy,
  writeRetryBackoff,
} from './queue-policies.ts';
import { SqsError } from './sqs-errors.ts';

const MS_PER_SECOND = 1000;

/** What an attribute is written from. */
export interface QueueView {
  readonly queue: QueueDefinition;
  readonly counts: QueueCounts;
  readonly addresses: QueueAddresses;
}

type Changes = { -readonly [Key in keyof QueueAttributes]?: QueueAttributes[Key] | undefined };

interface AttributeRow {
  /** Takes a text into `changes`; without it the attribute is read only. */
  readonly read?: (text: string, changes: Changes, name: string) => void;
  /** Undefined: this queue has none. */
  readonly write: (view: QueueView) => string | undefined;
  readonly fifoOnly?: boolean;
  /** Whether `All` gives it. By default it does. */
  readonly isShown?: (view: QueueView) => boolean;
}

type DurationKey = 'visibilityTimeoutMs' | 'delayMs' | 'retentionMs' | 'receiveWaitMs';

/** A number of seconds that is kept in milliseconds. */
function seconds(key: DurationKey, minMs: number, maxMs: number): AttributeRow {
  return {
    read: (text, changes, name) => {
      changes[key] = MS_PER_SECOND * wholeNumber(text, minMs / 1000, maxMs / 1000, name);
    },
    write: ({ queue }) => String(queue.attributes[key] / MS_PER_SECOND),
  };
}

/** Kept as it is, with no effect; an empty text removes it. */
function stored(
  name: string,
  check?: (text: string, name: string) => void,
  byDefault?: (attributes: QueueAttributes['stored']) => string | undefined,
): AttributeRow {
  return {
    read: (text, changes) => {
      if (text !== '') check?.(text, name);
      changes.stored = { ...changes.stored, [name]: text };
    },
    write: ({ queue }) => queue.attributes.stored[name] ?? byDefault?.(queue.attributes.stored),
  };
}

function count(key: keyof QueueCounts): AttributeRow {
  return { write: ({ counts }) => String(counts[key]) };
}

function timestamp(key: 'createdAtMs' | 'modifiedAtMs'): AttributeRow {
  return { write: ({ queue }) => String(Math.floor(queue[key] / MS_PER_SECOND)) };
}

const KMS_REUSE_SECONDS = { min: 60, max: 86_400, default: '300' };

/** In the order in which `All` gives them. */
const ATTRIBUTES: Readonly<Record<string, AttributeRow>> = {
  QueueArn: { write: ({ queue, addresses }) => addresses.arn(queue.name) },
  ApproximateNumberOfMessages: count('visible'),
  ApproximateNumberOfMessagesNotVisible: count('inFlight'),
  ApproximateNumberOfMessagesDelayed: count('delayed'),
  CreatedTimestamp: timestamp('createdAtMs'),
  LastModifiedTimestamp: timestamp('modifiedAtMs'),
  VisibilityTimeout: seconds('visibilityTimeoutMs', 0, VISIBILITY_TIMEOUT_MS_MAX),
  MaximumMessageSize: {
    read: (text, changes, name) => {
      changes.messageBytesMax = wholeNumber(text, MESSAGE_BYTES_MAX_FLOOR, MESSAGE_BYTES_MAX, name);
    },
    write: ({ queue }) => String(queue.attributes.messageBytesMax),
  },
  MessageRetentionPeriod: seconds('retentionMs', RETENTION_MS_MIN, RETENTION_MS_MAX),
  DelaySeconds: seconds('delayMs', 0, SQS_DELAY_MS_MAX),
  ReceiveMessageWaitTimeSeconds: seconds('receiveWaitMs', 0, WAIT_MS_MAX),
  RedrivePolicy: {
    read: (text, changes) => {
      changes.redrivePolicy = text === '' ? undefined : readRedrivePolicy(text);
    },
    write: ({ queue, addresses }) => writeRedrivePolicy(queue.attributes.redrivePolicy, addresses),
  },
  RedriveAllowPolicy: {
    read: (text, changes) => {
      changes.redriveAllowPolicy = text === '' ? undefined : readRedriveAllowPolicy(text);
    },
    write: ({ queue, addresses }) =>
      writeRedriveAllowPolicy(queue.attributes.redriveAllowPolicy, addresses),
  },
  Policy: stored('Policy', requireJsonObject),
  KmsMasterKeyId: stored('KmsMasterKeyId'),
  KmsDataKeyReusePeriodSeconds: stored(
    'KmsDataKeyReusePeriodSeconds',
    (text, name) => wholeNumber(text, KMS_REUSE_SECONDS.min, KMS_REUSE_SECONDS.max, name),
    (all) => (all['KmsMasterKeyId'] === undefined ? undefined : KMS_REUSE_SECONDS.default),
  ),
  // Nothing is encrypted here; who asks is told so, unless they have said otherwise.
  SqsManagedSseEnabled: stored('SqsManagedSseEnabled', trueOrFalse, () => 'false'),
  FifoQueue: {
    read: (text, changes, name) => {
      changes.fifo = trueOrFalse(text, name);
    },
    write: ({ queue }) => (queue.attributes.fifo ? 'true' : undefined),
  },
  ContentBasedDeduplication: {
    fifoOnly: true,
    read: (text, changes, name) => {
      changes.contentBasedDeduplication = trueOrFalse(text, name);
    },
    write: ({ queue }) => String(queue.attributes.contentBasedDeduplication),
  },
  DeduplicationScope: {
    fifoOnly: true,
    read: (text, changes, name) => {
      changes.deduplicationScope = oneOf(text, ['queue', 'messageGroup'], name);
    },
    write: ({ queue }) => queue.attributes.deduplicationScope,
  },
  FifoThroughputLimit: {
    fifoOnly: true,
    read: (text, changes, name) => {
      changes.throughputLimit = oneOf(text, ['perQueue', 'perMessageGroupId'], name);
    },
    write: ({ queue }) => queue.attributes.throughputLimit,
  },
  CapstanDelaySeconds: {
    ...seconds('delayMs', 0, RETENTION_MS_MAX),
    isShown: ({ queue }) => queue.attributes.delayMs > SQS_DELAY_MS_MAX,
  },
  CapstanInFlightLimit: {
    read: (text, changes, name) => {
      changes.inFlightMax = wholeNumber(text, 1, IN_FLIGHT_MAX_CEILING, name);
    },
    write: ({ queue }) => String(queue.attributes.inFlightMax),
    isShown: ({ queue: { attributes } }) =>
      attributes.inFlightMax !== defaultAttributes(attributes.fifo).inFlightMax,
  },
  CapstanRetryBackoff: {
    read: (text, changes) => {
      changes.retryBackoff = text === '' ? undefined : readRetryBackoff(text);
    },
    write: ({ queue }) => writeRetryBackoff(queue.attributes.retryBackoff),
  },
};

function rowOf(name: string): AttributeRow {
  if (Object.hasOwn(ATTRIBUTES, name)) return ATTRIBUTES[name]!;
  throw unknownAttribute(name);
}

function unknownAttribute(name: string): SqsError {
  return new SqsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
}

export function invalidAttribute(name: string, reason?: string): SqsError {
  const why = reason === undefined ? '' : ` Reason: ${reason}`;
  return new SqsError('InvalidAttributeValue', `Invalid value for the parameter ${name}.${why}`);
}

/** What the attributes of a request come to.
 *  @param fifo whether the queue is a FIFO queue, or is going to be. */
export function readAttributes(
  given: readonly (readonly [name: string, text: string])[],
  fifo: boolean,
): Partial<QueueAttributes> {
  const changes: Changes = {};
  for (const [name, text] of given) {
    const row = rowOf(name);
    if (row.read === undefined || (row.fifoOnly === true && !fifo)) throw unknownAttribute(name);
    row.read(text, changes, name);
  }
  return changes as Partial<QueueAttributes>;
}

/** The attributes with these names, in the table's order. Rule: SQS GetQueueAttributes. */
export function writeAttributes(
  names: readonly string[],
  view: QueueView,
): (readonly [name: string, text: string])[] {
  const wanted = new Set(names);
  const all = wanted.delete('All');
  for (const name of wanted) rowOf(name);
  const attributes: (readonly [string, string])[] = [];
  for (const [name, row] of Object.entries(ATTRIBUTES)) {
    const isAsked = wanted.has(name) || (all && row.isShown?.(view) !== false);
    if (!isAsked || (row.fifoOnly === true && !view.queue.attributes.fifo)) continue;
    const text = row.write(view);
    if (text !== undefined) attributes.push([name, text]);
  }
  return attributes;
}

/** The first of the attributes `given` that `queue` has with another value. */
export function differingAttribute(
  given: readonly (readonly [name: string, text: string])[],
  view: QueueView,
): string | undefined {
  const existing: Readonly<Record<string, unknown>> = { ...view.queue.attributes };
  const { stored: existingStored } = view.queue.attributes;
  return given.find(([name, text]) => {
    const { stored: givenStored, ...changes } = readAttributes([[name, text]], true);
    return (
      Object.entries(changes).some(
        ([key, value]) => JSON.stringify(value) !== JSON.stringify(existing[key]),
      ) ||
      (givenStored !== undefined && (givenStored[name] ?? '') !== (existingStored[name] ?? ''))
    );
  })?.[0];
}

function wholeNumber(text: string, min: number, max: number, name: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidAttribute(name);
}

function trueOrFalse(text: string, name: string): boolean {
  const lower = text.toLowerCase();
  if (lower === 'true' || lower === 'false') return lower === 'true';
  throw invalidAttribute(name);
}

function oneOf<const Choice extends string>(
  text: string,
  choices: readonly Choice[],
  name: string,
): Choice {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw invalidAttribute(name);
  return choice;
}

function requireJsonObject(text: string, name: string): void {
  if (jsonObjectOf(text) === undefined) throw invalidAttribute(name, 'It is not a JSON map.');
}
