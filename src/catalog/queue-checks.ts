/* What a queue may be: the last line of validation. Doors check first, in their protocol's own
 * words; what comes here is refused with CAPSTAN_INVALID_ARGUMENT. Pure. */

import { BrokerError } from '../base/errors.ts';
import {
  IN_FLIGHT_MAX_CEILING,
  MAX_RECEIVE_COUNT_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_BYTES_MAX_FLOOR,
  QUEUE_NAME_CHARS_MAX,
  REDRIVE_SOURCES_MAX,
  RETENTION_MS_MAX,
  RETENTION_MS_MIN,
  RETRY_BACKOFF_FACTOR_MAX,
  SQS_DELAY_MS_MAX,
  STORED_ATTRIBUTES_BYTES_MAX,
  TAG_KEY_CHARS_MAX,
  TAG_VALUE_CHARS_MAX,
  TAGS_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
  WAIT_MS_MAX,
} from '../base/limits.ts';
import { defaultAttributes, type QueueAttributes } from '../command/queue-definition.ts';
import type { Definitions } from './definitions.ts';

export type Tags = Readonly<Record<string, string>>;

export function invalid(detail: string): BrokerError {
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

export function checkName(name: string, fifo: boolean): void {
  const isFifoName = name.endsWith('.fifo');
  const stem = isFifoName ? name.slice(0, -'.fifo'.length) : name;
  if (name.length > QUEUE_NAME_CHARS_MAX || !/^[A-Za-z0-9_-]+$/.test(stem)) {
    throw invalid(
      `A queue's name has 1 to ${QUEUE_NAME_CHARS_MAX} letters, digits, hyphens and underscores.`,
    );
  }
  if (fifo && !isFifoName) throw invalid('The name of a FIFO queue ends in ".fifo".');
  if (!fifo && isFifoName)
    throw invalid('A name that ends in ".fifo" is a FIFO queue\'s: set fifo to true.');
}

type Writable = { -readonly [Key in keyof QueueAttributes]: QueueAttributes[Key] };

/** `changes` over `base`: what is left out stays, what is undefined takes its default, and of
 *  `stored` an empty text removes its key. */
export function mergeAttributes(
  base: QueueAttributes,
  changes: Partial<QueueAttributes>,
): QueueAttributes {
  const unknown = Object.keys(changes).find((key) => !isAttributeName(key));
  if (unknown !== undefined) throw invalid(`There is no queue attribute "${unknown}".`);
  const defaults = defaultAttributes(changes.fifo ?? base.fifo);
  const merged: Writable = { ...base };
  for (const key of ATTRIBUTE_NAMES) {
    if (key in changes) take(merged, key, changes[key], defaults);
  }
  merged.stored = mergeStored(base.stored, changes.stored);
  return merged;
}

function take<Key extends keyof QueueAttributes>(
  merged: Writable,
  key: Key,
  value: QueueAttributes[Key] | undefined,
  defaults: QueueAttributes,
): void {
  merged[key] = value ?? defaults[key];
  if (merged[key] === undefined) delete merged[key];
}

function mergeStored(base: Tags, changes: Tags | undefined): Tags {
  if (changes === undefined) return base;
  requireObject('stored', changes, undefined);
  const entries = Object.entries({ ...base, ...changes });
  return Object.fromEntries(entries.filter(([, value]) => value !== ''));
}

/** One check per attribute. */
const CHECKS: Readonly<Record<keyof QueueAttributes, (attributes: QueueAttributes) => void>> = {
  visibilityTimeoutMs: ({ visibilityTimeoutMs }) =>
    requireRange('visibilityTimeoutMs', visibilityTimeoutMs, 0, VISIBILITY_TIMEOUT_MS_MAX),
  // Beyond SQS: up to the retention.
  delayMs: ({ delayMs, retentionMs }) =>
    requireRange('delayMs', delayMs, 0, Math.max(SQS_DELAY_MS_MAX, retentionMs)),
  retentionMs: ({ retentionMs }) =>
    requireRange('retentionMs', retentionMs, RETENTION_MS_MIN, RETENTION_MS_MAX),
  messageBytesMax: ({ messageBytesMax }) =>
    requireRange('messageBytesMax', messageBytesMax, MESSAGE_BYTES_MAX_FLOOR, MESSAGE_BYTES_MAX),
  receiveWaitMs: ({ receiveWaitMs }) =>
    requireRange('receiveWaitMs', receiveWaitMs, 0, WAIT_MS_MAX),
  fifo: ({ fifo }) => requireBoolean('fifo', fifo),
  contentBasedDeduplication: ({ contentBasedDeduplication, fifo }) => {
    requireBoolean('contentBasedDeduplication', contentBasedDeduplication);
    requireFifo('contentBasedDeduplication', contentBasedDeduplication, fifo);
  },
  deduplicationScope: ({ deduplicationScope, fifo }) => {
    requireOneOf('deduplicationScope', deduplicationScope, ['queue', 'messageGroup']);
    requireFifo('deduplicationScope', deduplicationScope !== 'queue', fifo);
  },
  throughputLimit: ({ throughputLimit, deduplicationScope, fifo }) => {
    requireOneOf('throughputLimit', throughputLimit, ['perQueue', 'perMessageGroupId']);
    requireFifo('throughputLimit', throughputLimit !== 'perQueue', fifo);
    if (throughputLimit === 'perMessageGroupId' && deduplicationScope !== 'messageGroup') {
      throw invalid(
        'throughputLimit "perMessageGroupId" takes a deduplicationScope of "messageGroup".',
      );
    }
  },
  inFlightMax: ({ inFlightMax }) =>
    requireRange('inFlightMax', inFlightMax, 1, IN_FLIGHT_MAX_CEILING),
  redrivePolicy: checkRedrivePolicy,
  redriveAllowPolicy: checkRedriveAllowPolicy,
  retryBackoff: checkRetryBackoff,
  stored: checkStored,
};

function isAttributeName(key: string): key is keyof QueueAttributes {
  return Object.hasOwn(CHECKS, key);
}

export const ATTRIBUTE_NAMES = Object.keys(CHECKS).filter(isAttributeName);

/** Everything that can be said of the attributes without looking at other queues. */
export function checkAttributes(attributes: QueueAttributes): void {
  for (const check of Object.values(CHECKS)) check(attributes);
}

/** That the dead-letter queue is there, is of the queue's kind, and allows it as a source. */
export function checkDeadLetterTarget(
  name: string,
  { fifo, redrivePolicy }: QueueAttributes,
  definitions: Definitions,
): void {
  if (redrivePolicy === undefined) return;
  const { deadLetterQueue } = redrivePolicy;
  if (deadLetterQueue === name) throw invalid('A queue cannot be its own dead-letter queue.');
  const target = definitions.find(deadLetterQueue);
  if (target === undefined) {
    throw invalid(`The dead-letter queue "${deadLetterQueue}" does not exist.`);
  }
  if (target.attributes.fifo !== fifo) {
    throw invalid(
      `The dead-letter queue "${deadLetterQueue}" is not of the same kind as its source.`,
    );
  }
  const allow = target.attributes.redriveAllowPolicy;
  const allowed =
    allow === undefined ||
    allow.permission === 'allowAll' ||
    (allow.permission === 'byQueue' && allow.sourceQueues.includes(name));
  if (!allowed) {
    throw invalid(`The redriveAllowPolicy of "${deadLetterQueue}" does not allow this queue.`);
  }
}

export function checkTags(tags: Tags): void {
  const entries = Object.entries(tags);
  if (entries.length > TAGS_MAX) throw invalid(`A queue has at most ${TAGS_MAX} tags.`);
  for (const [key, value] of entries) {
    requireStorableKey(key);
    if (key.length === 0 || key.length > TAG_KEY_CHARS_MAX) {
      throw invalid(`A tag's key has 1 to ${TAG_KEY_CHARS_MAX} characters.`);
    }
    if (typeof value !== 'string' || value.length > TAG_VALUE_CHARS_MAX) {
      throw invalid(`The value of tag "${key}" is no text of at most ${TAG_VALUE_CHARS_MAX}.`);
    }
  }
}

function requireRange(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw invalid(`${name} is a whole number from ${min} to ${max}, not ${String(value)}.`);
}

function requireBoolean(name: string, value: boolean): void {
  if (typeof value !== 'boolean') throw invalid(`${name} is true or false.`);
}

function requireOneOf(name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) throw invalid(`${name} is one of ${choices.join(', ')}.`);
}

function requireFifo(name: string, used: boolean, fifo: boolean): void {
  if (used && !fifo) throw invalid(`${name} is for FIFO queues only.`);
}

function checkRedrivePolicy({ redrivePolicy: policy }: QueueAttributes): void {
  if (policy === undefined) return;
  requireObject('redrivePolicy', policy, ['deadLetterQueue', 'maxReceiveCount']);
  if (typeof policy.deadLetterQueue !== 'string') {
    throw invalid("redrivePolicy.deadLetterQueue is a queue's name.");
  }
  const { maxReceiveCount } = policy;
  requireRange('redrivePolicy.maxReceiveCount', maxReceiveCount, 1, MAX_RECEIVE_COUNT_MAX);
}

function checkRedriveAllowPolicy({ redriveAllowPolicy: policy }: QueueAttributes): void {
  if (policy === undefined) return;
  requireObject('redriveAllowPolicy', policy, ['permission', 'sourceQueues']);
  const { permission, sourceQueues } = policy;
  requireOneOf('redriveAllowPolicy.permission', permission, ['allowAll', 'denyAll', 'byQueue']);
  if (!Array.isArray(sourceQueues) || sourceQueues.some((name) => typeof name !== 'string')) {
    throw invalid("redriveAllowPolicy.sourceQueues is a list of queues' names.");
  }
  const count = sourceQueues.length;
  if (permission === 'byQueue') {
    requireRange('redriveAllowPolicy.sourceQueues.length', count, 1, REDRIVE_SOURCES_MAX);
  } else if (count > 0) {
    throw invalid('redriveAllowPolicy.sourceQueues is for the permission "byQueue" only.');
  }
}

function checkRetryBackoff({ retryBackoff: backoff }: QueueAttributes): void {
  if (backoff === undefined) return;
  requireObject('retryBackoff', backoff, ['baseMs', 'factor', 'maxMs']);
  const { baseMs, factor, maxMs } = backoff;
  requireRange('retryBackoff.maxMs', maxMs, 0, VISIBILITY_TIMEOUT_MS_MAX);
  requireRange('retryBackoff.baseMs', baseMs, 0, maxMs);
  if (!(typeof factor === 'number' && factor >= 1 && factor <= RETRY_BACKOFF_FACTOR_MAX)) {
    throw invalid(`retryBackoff.factor is a number from 1 to ${RETRY_BACKOFF_FACTOR_MAX}.`);
  }
}

function checkStored({ stored }: QueueAttributes): void {
  requireObject('stored', stored, undefined);
  let bytes = 0;
  for (const [key, value] of Object.entries(stored)) {
    requireStorableKey(key);
    if (typeof value !== 'string') throw invalid(`stored.${key} is a text.`);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > STORED_ATTRIBUTES_BYTES_MAX) {
    throw invalid(`Policy and the like have at most ${STORED_ATTRIBUTES_BYTES_MAX} bytes.`);
  }
}

/** msgpack refuses to read this key: a record with it could never be replayed. */
function requireStorableKey(key: string): void {
  if (key === '__proto__') throw invalid('The key "__proto__" is reserved.');
}

function requireObject(name: string, value: object, keys: readonly string[] | undefined): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${name} is an object.`);
  }
  const unknown = Object.keys(value).find((key) => keys !== undefined && !keys.includes(key));
  if (unknown !== undefined) throw invalid(`${name} has no field "${unknown}".`);
}
