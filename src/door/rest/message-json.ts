/* Messages as JSON. A body that is UTF-8 stands as text, any other as base64: a client that sends
 * text never sees the difference. */

import { isUtf8 } from 'node:buffer';
import type { DeliveredMessage } from '../../broker/service.ts';
import {
  decodeAttributeBlock,
  encodeAttributeBlock,
  type MessageAttribute,
} from '../../command/message-attributes.ts';
import type { OutgoingMessage } from '../../command/message-entry.ts';
import type { BatchMessage, MessageJson } from './schemas.ts';

/** @param receipt false for a message that was only looked at: it has no delivery to name. */
export function messageJson(message: DeliveredMessage, receipt: boolean): MessageJson {
  const { body, groupId, deduplicationId, traceHeader, attributeBlock, deadLetterSource } = message;
  return {
    messageId: message.messageId,
    ...(receipt ? { receiptHandle: message.receiptHandle } : {}),
    ...(isUtf8(body) ? { body: message.text() } : { bodyBase64: base64(body) }),
    receiveCount: message.receiveCount,
    sentAtMs: message.sentAtMs,
    ...(message.receiveCount > 0 ? { firstReceivedAtMs: message.firstReceivedAtMs } : {}),
    sequenceNumber: message.sequenceNumber,
    ...(groupId === undefined ? {} : { groupId }),
    ...(deduplicationId === undefined ? {} : { deduplicationId }),
    ...(traceHeader === undefined ? {} : { traceHeader }),
    ...(attributeBlock === undefined ? {} : { attributes: attributesJson(attributeBlock) }),
    ...(deadLetterSource === undefined ? {} : { deadLetterSource }),
  };
}

function attributesJson(block: Uint8Array): NonNullable<MessageJson['attributes']> {
  return Object.fromEntries(
    decodeAttributeBlock(block).map(({ name, type, value }) => [
      name,
      typeof value === 'string' ? { type, value } : { type, valueBase64: base64(value) },
    ]),
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/** The message that one entry of a JSON batch describes; its schema has been checked. */
export function outgoingOf(entry: BatchMessage): OutgoingMessage {
  const { body, bodyBase64, groupId, deduplicationId, delayMs, attributes } = entry;
  return {
    body: body ?? Buffer.from(bodyBase64 ?? '', 'base64'),
    groupId,
    deduplicationId,
    delayMs,
    attributes:
      attributes === undefined
        ? undefined
        : encodeAttributeBlock(Object.entries(attributes).map(attributeOf)),
  };
}

function attributeOf([name, json]: [string, BatchAttribute]): MessageAttribute {
  const value = json.value ?? Buffer.from(json.valueBase64 ?? '', 'base64');
  return { name, type: json.type, value };
}

type BatchAttribute = NonNullable<BatchMessage['attributes']>[string];
