/* SendMessage and SendMessageBatch. */

import { BATCH_BYTES_MAX } from '../../base/limits.ts';
import type { SendOutcome } from '../../broker/service.ts';
import { encodeAttributeBlock, type MessageAttribute } from '../../command/message-attributes.ts';
import type { OutgoingMessage } from '../../command/message-entry.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import { action, requireQueue } from './action.ts';
import { batchResult, checkBatch, type FailedEntry, failedEntry } from './batch.ts';
import { sendBatchResultJson, sendResultJson } from './json-messages.ts';
import { digestHex, md5Digest, md5Hex } from './md5.ts';
import { attributeValue, encodeAttributes, type SentAttributes } from './message-attributes.ts';
import {
  checkBodyText,
  checkIds,
  checkSize,
  checkTraceHeader,
  delayMsOf,
} from './message-checks.ts';
import type { ValueOf } from './shape.ts';
import * as shapes from './shapes.ts';
import { invalidParameter, missingParameter, SqsError, sqsErrorOfCode } from './sqs-errors.ts';

type SendInput = Omit<ValueOf<typeof shapes.SEND_MESSAGE>, 'QueueUrl'>;

/** A message that has passed its checks. */
interface CheckedMessage {
  readonly outgoing: OutgoingMessage;
  /** As SQS counts: body and attributes. */
  readonly bytes: number;
  readonly bodyMd5: string;
  readonly attributesMd5: string | undefined;
  readonly systemAttributesMd5: string | undefined;
}

/** What the system attributes of a message say. */
interface SystemAttributes {
  readonly traceHeader?: string | undefined;
  readonly delaySeconds?: number | undefined;
  readonly md5?: string | undefined;
}

function checkMessage(input: SendInput, queue: QueueDefinition): CheckedMessage {
  const { MessageBody, MessageGroupId: groupId, MessageDeduplicationId: deduplicationId } = input;
  if (MessageBody.length === 0) throw missingParameter('MessageBody');
  const isText = typeof MessageBody === 'string';
  const body = isText ? Buffer.from(MessageBody, 'utf8') : MessageBody;
  const attributes = encodeAttributes(input.MessageAttributes);
  const bytes = body.length + (attributes?.bytes ?? 0);
  checkSize(bytes, queue);
  if (isText) checkBodyText(MessageBody);
  checkIds(groupId, deduplicationId, queue);
  const system = readSystemAttributes(input.MessageSystemAttributes);
  const delayMs = delayMsOf(input.DelaySeconds, system.delaySeconds, queue);
  const md5 = md5Digest(body);
  return {
    outgoing: {
      body,
      md5,
      groupId,
      deduplicationId,
      delayMs,
      attributes: attributes?.block,
      traceHeader: system.traceHeader,
    },
    bytes,
    bodyMd5: digestHex(md5),
    attributesMd5: attributes === undefined ? undefined : md5Hex(attributes.block),
    systemAttributesMd5: system.md5,
  };
}

/** Beyond SQS: `CapstanDelaySeconds` delays a message for longer than DelaySeconds can. */
function readSystemAttributes(sent: SentAttributes | undefined): SystemAttributes {
  if (sent === undefined || sent.length === 0) return {};
  const block: MessageAttribute[] = [];
  let traceHeader: string | undefined;
  let delaySeconds: number | undefined;
  for (const [name, value] of sent) {
    const type = value.DataType ?? '';
    const text = attributeValue(name, type, value);
    if (name === 'AWSTraceHeader' && type === 'String' && typeof text === 'string') {
      checkTraceHeader(text);
      traceHeader = text;
    } else if (name === 'CapstanDelaySeconds' && type === 'Number') {
      delaySeconds = Number(text);
      if (!Number.isInteger(delaySeconds)) {
        throw invalidParameter(name, text, 'It must be a whole number of seconds.');
      }
    } else {
      throw new SqsError(
        'InvalidParameterValueException',
        `Message system attribute name '${name}' of type '${type}' is invalid.`,
      );
    }
    block.push({ name, type, value: text });
  }
  return { traceHeader, delaySeconds, md5: md5Hex(encodeAttributeBlock(block)) };
}

/** FIFO sequence numbers have 20 digits, so that they also sort as texts. */
export function sequenceText(sequenceNumber: number): string {
  return `1${String(sequenceNumber).padStart(19, '0')}`;
}

function sendResult(
  message: CheckedMessage,
  outcome: SendOutcome,
  queue: QueueDefinition,
): shapes.SendResult {
  const { bodyMd5, attributesMd5, systemAttributesMd5 } = message;
  return {
    MD5OfMessageBody: bodyMd5,
    MD5OfMessageAttributes: attributesMd5,
    MD5OfMessageSystemAttributes: systemAttributesMd5,
    MessageId: outcome.messageId,
    SequenceNumber: queue.attributes.fifo ? sequenceText(outcome.sequenceNumber) : undefined,
  };
}

export const sendMessage = action({
  name: 'SendMessage',
  input: shapes.SEND_MESSAGE,
  output: shapes.SEND_MESSAGE_RESULT,
  writeJson: sendResultJson,
  async run(context, input) {
    const queue = requireQueue(context, input.QueueUrl);
    const message = checkMessage(input, queue);
    const [outcome] = await context.service.send(queue, [message.outgoing]);
    if (outcome!.error !== undefined) throw sqsErrorOfCode(outcome!.error);
    context.counters?.sent(1);
    return sendResult(message, outcome!, queue);
  },
});

export const sendMessageBatch = action({
  name: 'SendMessageBatch',
  input: shapes.SEND_BATCH,
  output: shapes.SEND_BATCH_RESULT,
  writeJson: sendBatchResultJson,
  async run(context, input) {
    const queue = requireQueue(context, input.QueueUrl);
    const entries = checkBatch(input.Entries, 'SendMessageBatchRequestEntry');
    const ids: string[] = [];
    const messages: CheckedMessage[] = [];
    const failed: FailedEntry[] = [];
    let bytes = 0;
    for (const entry of entries) {
      try {
        const message = checkMessage(entry, queue);
        bytes += message.bytes;
        messages.push(message);
        ids.push(entry.Id);
      } catch (error) {
        if (!(error instanceof SqsError)) throw error;
        bytes += Buffer.byteLength(entry.MessageBody);
        failed.push(failedEntry(entry.Id, error));
      }
    }
    checkBatchBytes(bytes);
    const successful: (shapes.SendResult & { Id: string })[] = [];
    const outcomes =
      messages.length === 0
        ? []
        : await context.service.send(
            queue,
            messages.map(({ outgoing }) => outgoing),
          );
    for (const [i, outcome] of outcomes.entries()) {
      const Id = ids[i]!;
      if (outcome.error !== undefined) {
        failed.push(failedEntry(Id, sqsErrorOfCode(outcome.error)));
      } else {
        successful.push({ Id, ...sendResult(messages[i]!, outcome, queue) });
      }
    }
    context.counters?.sent(successful.length);
    return batchResult(successful, failed);
  },
});

export function checkBatchBytes(bytes: number): void {
  if (bytes <= BATCH_BYTES_MAX) return;
  throw new SqsError(
    'BatchRequestTooLong',
    `Batch requests cannot be longer than ${BATCH_BYTES_MAX} bytes. You have sent ${bytes} bytes.`,
  );
}
