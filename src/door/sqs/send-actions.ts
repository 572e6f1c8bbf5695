/* SendMessage and SendMessageBatch. */

import { BATCH_BYTES_MAX } from '../../base/limits.ts';
import type { Settle } from '../../base/settle.ts';
import type { SendOutcome } from '../../broker/service.ts';
import { encodeAttributeBlock, type MessageAttribute } from '../../command/message-attributes.ts';
import type { OutgoingMessage } from '../../command/message-entry.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import type { DoorCounters } from '../door-counters.ts';
import { Ending, hotAction, requireQueue, type SqsContext } from './action.ts';
import { batchResult, checkBatch, type FailedEntry, failedEntry } from './batch.ts';
import { writeSent, writeSentBatch } from './json-messages.ts';
import { md5Digest, md5Hex } from './md5.ts';
import { attributeValue, encodeAttributes, type SentAttributes } from './message-attributes.ts';
import {
  checkBodyText,
  checkIds,
  checkSize,
  checkTraceHeader,
  delayMsOf,
} from './message-checks.ts';
import { type CheckedMessage, type SentBatch, SentMessage } from './sent-message.ts';
import type { ValueOf } from './shape.ts';
import * as shapes from './shapes.ts';
import { invalidParameter, missingParameter, SqsError, sqsErrorOfCode } from './sqs-errors.ts';

type SendInput = Omit<ValueOf<typeof shapes.SEND_MESSAGE>, 'QueueUrl'>;

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
  return {
    outgoing: {
      body,
      md5: md5Digest(body),
      groupId,
      deduplicationId,
      delayMs,
      attributes: attributes?.block,
      traceHeader: system.traceHeader,
    },
    bytes,
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

/** Of the messages of one request that were handed on. */
abstract class Sending<Result> extends Ending<SendOutcome[], Result> {
  protected readonly fifo: boolean;
  protected readonly counters: DoorCounters | undefined;

  constructor({ counters }: SqsContext, queue: QueueDefinition, result: Settle<Result>) {
    super(result);
    this.fifo = queue.attributes.fifo;
    this.counters = counters;
  }
}

class SendingOne extends Sending<SentMessage> {
  readonly #message: CheckedMessage;

  constructor(
    context: SqsContext,
    queue: QueueDefinition,
    message: CheckedMessage,
    result: Settle<SentMessage>,
  ) {
    super(context, queue, result);
    this.#message = message;
  }

  protected resultOf([outcome]: SendOutcome[]): SentMessage {
    if (outcome!.error !== undefined) throw sqsErrorOfCode(outcome!.error);
    this.counters?.sent(1);
    return new SentMessage('', this.#message, outcome!, this.fifo);
  }
}

export const sendMessage = hotAction({
  name: 'SendMessage',
  input: shapes.SEND_MESSAGE,
  output: shapes.SEND_MESSAGE_RESULT,
  writeJson: writeSent,
  start(context, input, _caller, result: Settle<SentMessage>) {
    const queue = requireQueue(context, input.QueueUrl);
    const message = checkMessage(input, queue);
    const sending = new SendingOne(context, queue, message, result);
    context.service.sendTo(queue, [message.outgoing], sending);
  },
});

class SendingBatch extends Sending<SentBatch> {
  readonly #ids: readonly string[];
  readonly #messages: readonly CheckedMessage[];
  readonly #failed: FailedEntry[];

  /** @param failed entries of the same batch that are not among `messages`. */
  constructor(
    context: SqsContext,
    queue: QueueDefinition,
    ids: readonly string[],
    messages: readonly CheckedMessage[],
    failed: FailedEntry[],
    result: Settle<SentBatch>,
  ) {
    super(context, queue, result);
    this.#ids = ids;
    this.#messages = messages;
    this.#failed = failed;
  }

  protected resultOf(outcomes: SendOutcome[]): SentBatch {
    const successful: SentMessage[] = [];
    for (let i = 0; i < outcomes.length; i++) {
      const outcome = outcomes[i]!;
      const id = this.#ids[i]!;
      if (outcome.error === undefined) {
        successful.push(new SentMessage(id, this.#messages[i]!, outcome, this.fifo));
      } else {
        this.#failed.push(failedEntry(id, sqsErrorOfCode(outcome.error)));
      }
    }
    this.counters?.sent(successful.length);
    return batchResult(successful, this.#failed);
  }
}

export const sendMessageBatch = hotAction({
  name: 'SendMessageBatch',
  input: shapes.SEND_BATCH,
  output: shapes.SEND_BATCH_RESULT,
  writeJson: writeSentBatch,
  start(context, input, _caller, result: Settle<SentBatch>) {
    const queue = requireQueue(context, input.QueueUrl);
    const entries = checkBatch(input.Entries, 'SendMessageBatchRequestEntry');
    const ids: string[] = [];
    const messages: CheckedMessage[] = [];
    const outgoing: OutgoingMessage[] = [];
    const failed: FailedEntry[] = [];
    let bytes = 0;
    for (const entry of entries) {
      try {
        const message = checkMessage(entry, queue);
        bytes += message.bytes;
        messages.push(message);
        outgoing.push(message.outgoing);
        ids.push(entry.Id);
      } catch (error) {
        if (!(error instanceof SqsError)) throw error;
        bytes += Buffer.byteLength(entry.MessageBody);
        failed.push(failedEntry(entry.Id, error));
      }
    }
    checkBatchBytes(bytes);
    // The service answers a batch of none at once.
    const sending = new SendingBatch(context, queue, ids, messages, failed, result);
    context.service.sendTo(queue, outgoing, sending);
  },
});

export function checkBatchBytes(bytes: number): void {
  if (bytes <= BATCH_BYTES_MAX) return;
  throw new SqsError(
    'BatchRequestTooLong',
    `Batch requests cannot be longer than ${BATCH_BYTES_MAX} bytes. You have sent ${bytes} bytes.`,
  );
}
