/* What a message may be, before it is sent: SQS's rules in SQS's words. */

import {
  DEDUPLICATION_ID_BYTES_MAX,
  GROUP_ID_BYTES_MAX,
  RETENTION_MS_MAX,
  SQS_DELAY_MS_MAX,
} from '../../base/limits.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import { invalidParameter, missingParameter, SqsError } from './sqs-errors.ts';

const MS_PER_SECOND = 1000;
const TRACE_HEADER_BYTES_MAX = 255;

// Rule: SQS SendMessage; all but the characters that XML 1.0 has. Of surrogates it finds those that
// stand alone.
const REFUSED = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

export function checkBodyText(body: string): void {
  const character = REFUSED.exec(body)?.[0];
  if (character !== undefined) throw refusedCharacter(character.codePointAt(0)!);
}

export function refusedCharacter(code: number): SqsError {
  return new SqsError(
    'InvalidMessageContents',
    `Invalid binary character '#x${code.toString(16).toUpperCase()}' was found in the message ` +
      'body, the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to ' +
      '#xFFFD | #x10000 to #x10FFFF',
  );
}

/** True if XML takes `text` as it is. */
export function isPlainText(text: string): boolean {
  return !REFUSED.test(text);
}

/** `text` with a mark for every character that XML cannot carry. */
export function plainText(text: string): string {
  return text.replaceAll(new RegExp(REFUSED, 'gu'), '\ufffd');
}

/** Body and attributes together, in bytes as SQS counts them. */
export function checkSize(bytes: number, { attributes }: QueueDefinition): void {
  if (bytes <= attributes.messageBytesMax) return;
  throw new SqsError(
    'InvalidParameterValueException',
    'One or more parameters are invalid. Reason: Message must be shorter than ' +
      `${attributes.messageBytesMax} bytes.`,
  );
}

/** The delay in milliseconds; undefined: the queue's.
 *  @param longSeconds beyond SQS: a delay of up to the longest retention. */
export function delayMsOf(
  seconds: number | undefined,
  longSeconds: number | undefined,
  { attributes }: QueueDefinition,
): number | undefined {
  if (longSeconds !== undefined) {
    return checkedDelay('CapstanDelaySeconds', longSeconds, RETENTION_MS_MAX, attributes.fifo);
  }
  if (seconds === undefined) return undefined;
  return checkedDelay('DelaySeconds', seconds, SQS_DELAY_MS_MAX, attributes.fifo);
}

function checkedDelay(name: string, seconds: number, maxMs: number, fifo: boolean): number {
  const delayMs = seconds * MS_PER_SECOND;
  if (delayMs < 0 || delayMs > maxMs) {
    const max = maxMs / MS_PER_SECOND;
    throw invalidParameter(name, seconds, `${name} must be >= 0 and <= ${max}.`);
  }
  if (fifo && delayMs > 0) {
    const reason = 'The request include parameter that is not valid for this queue type.';
    throw invalidParameter(name, seconds, reason);
  }
  return delayMs;
}

const ID = /^[!-~]+$/;

/** Group ids, deduplication ids and ids of receive attempts. */
export function checkId(name: string, id: string, max: number): void {
  if (id.length <= max && ID.test(id)) return;
  throw invalidParameter(
    name,
    id,
    `${name} can only include alphanumeric and punctuation characters. 1 to ${max} in length.`,
  );
}

/** Rule: SQS SendMessage, MessageGroupId and MessageDeduplicationId. */
export function checkIds(
  groupId: string | undefined,
  deduplicationId: string | undefined,
  { attributes }: QueueDefinition,
): void {
  const { fifo, contentBasedDeduplication } = attributes;
  if (groupId !== undefined) checkId('MessageGroupId', groupId, GROUP_ID_BYTES_MAX);
  if (deduplicationId !== undefined) {
    if (!fifo) {
      const reason = 'The request include parameter that is not valid for this queue type.';
      throw invalidParameter('MessageDeduplicationId', deduplicationId, reason);
    }
    checkId('MessageDeduplicationId', deduplicationId, DEDUPLICATION_ID_BYTES_MAX);
  }
  if (!fifo) return;
  if (groupId === undefined) throw missingParameter('MessageGroupId');
  if (deduplicationId === undefined && !contentBasedDeduplication) {
    throw new SqsError(
      'InvalidParameterValueException',
      'The queue should either have ContentBasedDeduplication enabled or ' +
        'MessageDeduplicationId provided explicitly',
    );
  }
}

export function checkTraceHeader(header: string): void {
  if (header.length > 0 && Buffer.byteLength(header) <= TRACE_HEADER_BYTES_MAX) return;
  throw invalidParameter(
    'AWSTraceHeader',
    header,
    `A trace header has 1 to ${TRACE_HEADER_BYTES_MAX} bytes.`,
  );
}
