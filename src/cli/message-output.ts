/* Messages on paper: as JSON, and as what people want to see of them. */

import { isUtf8 } from 'node:buffer';
import type { Message } from '../client/index.ts';
import { oneLine } from './table.ts';
import { formatBytes, formatDurationMs } from './units.ts';

/** Bodies that are no text, and binary attributes, are in base64. */
export function messageJson(message: Message): object {
  const { receiptHandle, groupId, deduplicationId, deadLetterSource } = message;
  const attributes = Object.entries(message.attributes).map(
    ([name, { type, value }]) => [name, { type, ...contentJson('value', value) }] as const,
  );
  return {
    messageId: message.messageId,
    ...contentJson('body', message.body),
    ...(receiptHandle === '' ? {} : { receiptHandle }),
    receiveCount: message.receiveCount,
    sentAtMs: message.sentAtMs,
    sequenceNumber: message.sequenceNumber,
    ...(groupId === undefined ? {} : { groupId }),
    ...(deduplicationId === undefined ? {} : { deduplicationId }),
    ...(deadLetterSource === undefined ? {} : { deadLetterSource }),
    ...(attributes.length === 0 ? {} : { attributes: Object.fromEntries(attributes) }),
  };
}

function contentJson(name: string, content: string | Uint8Array): object {
  if (typeof content === 'string') return { [name]: content };
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  if (isUtf8(bytes)) return { [name]: bytes.toString('utf8') };
  return { [`${name}Base64`]: bytes.toString('base64') };
}

/** The body on one line; of bytes that are no text, how many they are. */
export function bodyPreview({ body }: Message): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  return isUtf8(bytes) ? oneLine(bytes.toString('utf8')) : `(${formatBytes(bytes.length)})`;
}

/** How long ago it was sent. */
export function ageOf(message: Message, now: number): string {
  return formatDurationMs(Math.max(0, now - message.sentAtMs));
}
