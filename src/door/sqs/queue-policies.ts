/* Attributes of a queue that are JSON inside a text: RedrivePolicy, RedriveAllowPolicy, and
 * CapstanRetryBackoff; and the access policy, as far as AddPermission and RemovePermission edit it.
 * Rule: SQS SetQueueAttributes, AddPermission, RemovePermission. */

import {
  MAX_RECEIVE_COUNT_MAX,
  REDRIVE_SOURCES_MAX,
  RETRY_BACKOFF_FACTOR_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
} from '../../base/limits.ts';
import type {
  RedriveAllowPolicy,
  RedrivePolicy,
  RetryBackoff,
} from '../../command/queue-definition.ts';
import { type QueueAddresses, queueNameOfArn } from './queue-address.ts';
import { invalidParameter, type SqsError } from './sqs-errors.ts';

const MS_PER_SECOND = 1000;

type Fields = ReadonlyMap<string, unknown>;

/** Undefined: the text is no JSON, or it is another value than an object. */
export function jsonObjectOf(text: string): object | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  return isObject ? (parsed as object) : undefined;
}

/** The fields of the JSON object in `text`, all of which are in `known`. */
function readFields(text: string, attribute: string, known: readonly string[]): Fields {
  const parsed = jsonObjectOf(text);
  if (parsed === undefined) {
    throw invalidParameter(attribute, text, `${attribute} is not a valid JSON map.`);
  }
  const fields = new Map(Object.entries(parsed));
  for (const key of fields.keys()) {
    if (known.includes(key)) continue;
    const reason = `Only following attributes are supported: [${known.join(', ')}].`;
    throw invalidParameter(attribute, text, reason);
  }
  return fields;
}

/** A whole number, or a text of one: both are sent. */
function wholeNumber(value: unknown): number | undefined {
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value);
  return Number.isInteger(value) ? (value as number) : undefined;
}

export function readRedrivePolicy(text: string): RedrivePolicy {
  const refused = (reason: string): SqsError => invalidParameter('RedrivePolicy', text, reason);
  const fields = readFields(text, 'RedrivePolicy', ['deadLetterTargetArn', 'maxReceiveCount']);
  for (const key of ['maxReceiveCount', 'deadLetterTargetArn']) {
    if (fields.get(key) === undefined) {
      throw refused(`Redrive policy does not contain mandatory attribute: ${key}.`);
    }
  }
  const arn = fields.get('deadLetterTargetArn');
  const deadLetterQueue = typeof arn === 'string' ? queueNameOfArn(arn) : undefined;
  if (deadLetterQueue === undefined) throw refused('Invalid value for deadLetterTargetArn.');
  const maxReceiveCount = wholeNumber(fields.get('maxReceiveCount')) ?? 0;
  if (maxReceiveCount < 1 || maxReceiveCount > MAX_RECEIVE_COUNT_MAX) {
    throw refused(
      `Invalid value for maxReceiveCount: ${String(fields.get('maxReceiveCount'))}, valid values ` +
        `are from 1 to ${MAX_RECEIVE_COUNT_MAX} both inclusive.`,
    );
  }
  return { deadLetterQueue, maxReceiveCount };
}

export function writeRedrivePolicy(
  policy: RedrivePolicy | undefined,
  addresses: QueueAddresses,
): string | undefined {
  if (policy === undefined) return undefined;
  return JSON.stringify({
    deadLetterTargetArn: addresses.arn(policy.deadLetterQueue),
    maxReceiveCount: policy.maxReceiveCount,
  });
}

const PERMISSIONS = ['allowAll', 'denyAll', 'byQueue'] as const;

export function readRedriveAllowPolicy(text: string): RedriveAllowPolicy {
  const refused = (reason: string): SqsError =>
    invalidParameter('RedriveAllowPolicy', text, reason);
  const known = ['redrivePermission', 'sourceQueueArns'];
  const fields = readFields(text, 'RedriveAllowPolicy', known);
  const permission = PERMISSIONS.find((name) => name === fields.get('redrivePermission'));
  if (permission === undefined) {
    throw refused(`redrivePermission is one of [${PERMISSIONS.join(', ')}].`);
  }
  const arns = fields.get('sourceQueueArns') ?? [];
  if (!Array.isArray(arns)) throw refused('sourceQueueArns is a list of ARNs.');
  const sourceQueues = arns.map((arn: unknown) => {
    const name = typeof arn === 'string' ? queueNameOfArn(arn) : undefined;
    if (name === undefined) throw refused('sourceQueueArns is a list of ARNs.');
    return name;
  });
  const count = sourceQueues.length;
  if (permission !== 'byQueue' && count > 0) {
    throw refused('sourceQueueArns can only be given with the redrivePermission byQueue.');
  }
  if (permission === 'byQueue' && (count < 1 || count > REDRIVE_SOURCES_MAX)) {
    throw refused(`sourceQueueArns has 1 to ${REDRIVE_SOURCES_MAX} ARNs.`);
  }
  return { permission, sourceQueues };
}

export function writeRedriveAllowPolicy(
  policy: RedriveAllowPolicy | undefined,
  addresses: QueueAddresses,
): string | undefined {
  if (policy === undefined) return undefined;
  const { permission: redrivePermission, sourceQueues } = policy;
  if (redrivePermission !== 'byQueue') return JSON.stringify({ redrivePermission });
  const sourceQueueArns = sourceQueues.map((name) => addresses.arn(name));
  return JSON.stringify({ redrivePermission, sourceQueueArns });
}

export function readRetryBackoff(text: string): RetryBackoff {
  const fields = readFields(text, 'CapstanRetryBackoff', ['baseSeconds', 'factor', 'maxSeconds']);
  const numberOf = (key: string, byDefault: number): number => {
    const value = fields.get(key) ?? byDefault;
    return typeof value === 'number' ? value : Number.NaN;
  };
  const baseMs = Math.round(numberOf('baseSeconds', 1) * MS_PER_SECOND);
  const factor = numberOf('factor', 2);
  const maxMs = Math.round(
    numberOf('maxSeconds', VISIBILITY_TIMEOUT_MS_MAX / MS_PER_SECOND) * MS_PER_SECOND,
  );
  const isValid =
    baseMs >= 0 &&
    baseMs <= maxMs &&
    maxMs <= VISIBILITY_TIMEOUT_MS_MAX &&
    factor >= 1 &&
    factor <= RETRY_BACKOFF_FACTOR_MAX;
  if (isValid) return { baseMs, factor, maxMs };
  throw invalidParameter(
    'CapstanRetryBackoff',
    text,
    `0 <= baseSeconds <= maxSeconds <= ${VISIBILITY_TIMEOUT_MS_MAX / MS_PER_SECOND} and ` +
      `1 <= factor <= ${RETRY_BACKOFF_FACTOR_MAX} must hold.`,
  );
}

export function writeRetryBackoff(backoff: RetryBackoff | undefined): string | undefined {
  if (backoff === undefined) return undefined;
  return JSON.stringify({
    baseSeconds: backoff.baseMs / MS_PER_SECOND,
    factor: backoff.factor,
    maxSeconds: backoff.maxMs / MS_PER_SECOND,
  });
}
