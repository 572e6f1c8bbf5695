/* What can be said of a queue on the command line, as attributes. Pure. */

import {
  IN_FLIGHT_MAX_CEILING,
  MAX_RECEIVE_COUNT_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_BYTES_MAX_FLOOR,
  RETRY_BACKOFF_FACTOR_MAX,
} from '../base/limits.ts';
import type { QueueAttributes, RetryBackoff } from '../command/queue-definition.ts';
import { usageError } from './exit-codes.ts';
import type { ServerOptions } from './server.ts';
import { parseCount, parseDurationMs } from './units.ts';

const MAX_RECEIVES_DEFAULT = '5';

export interface CreateOptions extends ServerOptions {
  readonly visibility?: string;
  readonly delay?: string;
  readonly retention?: string;
  readonly wait?: string;
  readonly maxBytes?: string;
  readonly inFlight?: string;
  readonly contentDeduplication?: boolean;
  readonly highThroughput?: boolean;
  readonly deadLetters?: string;
  readonly maxReceives?: string;
  readonly backoff?: string;
  readonly tag?: readonly string[];
}

type Given = { -readonly [Key in keyof QueueAttributes]?: QueueAttributes[Key] };

/** Only what is said: the server has the defaults. */
export function attributesOf(name: string, options: CreateOptions): Partial<QueueAttributes> {
  const given: Given = {};
  const { visibility, delay, retention, wait, maxBytes, inFlight, backoff } = options;
  if (visibility !== undefined) {
    given.visibilityTimeoutMs = parseDurationMs(visibility, '--visibility');
  }
  if (delay !== undefined) given.delayMs = parseDurationMs(delay, '--delay');
  if (retention !== undefined) given.retentionMs = parseDurationMs(retention, '--retention');
  if (wait !== undefined) given.receiveWaitMs = parseDurationMs(wait, '--wait');
  if (maxBytes !== undefined) {
    const [min, max] = [MESSAGE_BYTES_MAX_FLOOR, MESSAGE_BYTES_MAX];
    given.messageBytesMax = parseCount(maxBytes, '--max-bytes', min, max);
  }
  if (inFlight !== undefined) {
    given.inFlightMax = parseCount(inFlight, '--in-flight', 1, IN_FLIGHT_MAX_CEILING);
  }
  if (backoff !== undefined) given.retryBackoff = backoffOf(backoff);
  return { ...given, ...fifoOf(name, options), ...redriveOf(options) };
}

function fifoOf(name: string, options: CreateOptions): Given {
  const fifo = name.endsWith('.fifo');
  const { contentDeduplication, highThroughput } = options;
  if (!fifo && (contentDeduplication === true || highThroughput === true)) {
    const option = contentDeduplication === true ? '--content-deduplication' : '--high-throughput';
    throw usageError(`${option} is for FIFO queues, whose names end in .fifo.`);
  }
  const given: Given = { fifo };
  if (contentDeduplication === true) given.contentBasedDeduplication = true;
  if (highThroughput === true) {
    given.deduplicationScope = 'messageGroup';
    given.throughputLimit = 'perMessageGroupId';
  }
  return given;
}

function redriveOf({ deadLetters, maxReceives }: CreateOptions): Given {
  if (deadLetters === undefined) {
    if (maxReceives === undefined) return {};
    throw usageError('--max-receives takes --dead-letters, the queue that such messages go to.');
  }
  const text = maxReceives ?? MAX_RECEIVES_DEFAULT;
  const maxReceiveCount = parseCount(text, '--max-receives', 1, MAX_RECEIVE_COUNT_MAX);
  return { redrivePolicy: { deadLetterQueue: deadLetters, maxReceiveCount } };
}

function backoffOf(text: string): RetryBackoff {
  const [first, factorText, most, ...rest] = text.split(',');
  const factor = Number(factorText);
  if (first === undefined || most === undefined || rest.length > 0) {
    throw usageError(`--backoff is "${text}"; write FIRST,FACTOR,MOST, such as 1s,2,10m.`);
  }
  if (!(factor >= 1 && factor <= RETRY_BACKOFF_FACTOR_MAX)) {
    throw usageError(`The factor of --backoff is from 1 to ${RETRY_BACKOFF_FACTOR_MAX}.`);
  }
  return {
    baseMs: parseDurationMs(first, '--backoff'),
    factor,
    maxMs: parseDurationMs(most, '--backoff'),
  };
}

/** Of texts such as `team=billing`. */
export function tagsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text) => keyAndValue(text, '--tag')));
}

export function keyAndValue(text: string, what: string): [key: string, value: string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw usageError(`${what} is "${text}"; write KEY=VALUE.`);
}
