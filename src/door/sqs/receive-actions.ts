/* ReceiveMessage. */

import {
  SQS_BATCH_ENTRIES_MAX,
  VISIBILITY_TIMEOUT_MS_MAX,
  WAIT_MS_MAX,
} from '../../base/limits.ts';
import type { Settle } from '../../base/settle.ts';
import type { DeliveredMessage } from '../../broker/service.ts';
import type { MessageAttribute } from '../../command/message-attributes.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import { Ending, hotAction, requireQueue, type SqsContext } from './action.ts';
import { writeReceived } from './json-messages.ts';
import { md5Hex } from './md5.ts';
import { type AttributeFilter, attributeFilter, selectAttributes } from './message-attributes.ts';
import { checkId, isPlainText, plainText } from './message-checks.ts';
import { type Extras, ReceivedMessage } from './received-message.ts';
import { sequenceText } from './sent-message.ts';
import type { ValueOf } from './shape.ts';
import * as shapes from './shapes.ts';
import { invalidParameter, SqsError } from './sqs-errors.ts';

const MS_PER_SECOND = 1000;
const ATTEMPT_ID_CHARS_MAX = 128;

/** How each system attribute of a message is read; undefined: this message has none. */
type SystemAttributeReader = (
  message: DeliveredMessage,
  queue: QueueDefinition,
  context: SqsContext,
) => string | undefined;

/** In the order in which `All` gives them. */
const SYSTEM_ATTRIBUTES: readonly (readonly [name: string, read: SystemAttributeReader])[] = [
  ['SenderId', (_message, _queue, { account }) => account],
  ['SentTimestamp', ({ sentAtMs }) => String(sentAtMs)],
  ['ApproximateReceiveCount', ({ receiveCount }) => String(receiveCount)],
  ['ApproximateFirstReceiveTimestamp', ({ firstReceivedAtMs }) => String(firstReceivedAtMs)],
  ['MessageGroupId', ({ groupId }) => groupId],
  ['MessageDeduplicationId', ({ deduplicationId }) => deduplicationId],
  [
    'SequenceNumber',
    ({ sequenceNumber }, { attributes }) =>
      attributes.fifo ? sequenceText(sequenceNumber) : undefined,
  ],
  ['AWSTraceHeader', ({ traceHeader }) => traceHeader],
  [
    'DeadLetterQueueSourceArn',
    ({ deadLetterSource }, _queue, { addresses }) =>
      deadLetterSource === undefined ? undefined : addresses.arn(deadLetterSource),
  ],
];
const SYSTEM_ATTRIBUTE_INDEX = new Map(
  SYSTEM_ATTRIBUTES.map(([name], index) => [name, index] as const),
);

/** Beyond SQS: why a message is in a dead-letter queue. There is one reason so far. */
const DEAD_LETTER_REASON = 'CapstanDeadLetterReason';
const RECEIVED_TOO_OFTEN = 'MaxReceiveCountExceeded';

/** Names that ReceiveMessage takes, and has nothing to say to. */
const WITHOUT_VALUE = new Set(['SqsManagedSseEnabled', DEAD_LETTER_REASON]);
const ALL = 'All';

/** What a receive asks of each message, worked out once. */
interface Selection {
  /** Indices into SYSTEM_ATTRIBUTES. */
  readonly system: readonly number[];
  readonly deadLetterReason: boolean;
  readonly attributes: AttributeFilter | undefined;
}

const NOTHING_MORE: Selection = { system: [], deadLetterReason: false, attributes: undefined };

function selectionOf(input: ValueOf<typeof shapes.RECEIVE_MESSAGE>): Selection {
  const isBare =
    input.AttributeNames === undefined &&
    input.MessageSystemAttributeNames === undefined &&
    input.MessageAttributeNames === undefined;
  if (isBare) return NOTHING_MORE;
  const { AttributeNames = [], MessageSystemAttributeNames = [], MessageAttributeNames } = input;
  const names = new Set([...AttributeNames, ...MessageSystemAttributeNames]);
  for (const name of names) {
    if (name === ALL || SYSTEM_ATTRIBUTE_INDEX.has(name) || WITHOUT_VALUE.has(name)) continue;
    throw new SqsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
  }
  const all = names.has(ALL);
  return {
    system: SYSTEM_ATTRIBUTES.flatMap(([name], index) => (all || names.has(name) ? [index] : [])),
    deadLetterReason: names.has(DEAD_LETTER_REASON),
    attributes: attributeFilter(MessageAttributeNames),
  };
}

function inSeconds(
  name: string,
  seconds: number | undefined,
  maxMs: number,
  reason: string,
): number | undefined {
  if (seconds === undefined) return undefined;
  const ms = seconds * MS_PER_SECOND;
  if (ms >= 0 && ms <= maxMs) return ms;
  throw invalidParameter(name, seconds, reason);
}

interface ReceiveResult {
  readonly Messages?: readonly ReceivedMessage[] | undefined;
}

class Receiving extends Ending<DeliveredMessage[], ReceiveResult> {
  readonly #context: SqsContext;
  readonly #queue: QueueDefinition;
  readonly #selection: Selection;

  constructor(
    context: SqsContext,
    queue: QueueDefinition,
    selection: Selection,
    result: Settle<ReceiveResult>,
  ) {
    super(result);
    this.#context = context;
    this.#queue = queue;
    this.#selection = selection;
  }

  protected resultOf(messages: DeliveredMessage[]): ReceiveResult {
    if (messages.length === 0) return {};
    this.#context.counters?.received(messages.length);
    return { Messages: messages.map((message) => this.#received(message)) };
  }

  #received(message: DeliveredMessage): ReceivedMessage {
    const selection = this.#selection;
    if (selection === NOTHING_MORE) return new ReceivedMessage(message, NO_EXTRAS);
    const extras = extrasOf(message, this.#queue, selection, this.#context);
    return new ReceivedMessage(message, extras);
  }
}

const NO_EXTRAS: Extras = {
  Attributes: undefined,
  MD5OfMessageAttributes: undefined,
  MessageAttributes: undefined,
};

export const receiveMessage = hotAction({
  name: 'ReceiveMessage',
  input: shapes.RECEIVE_MESSAGE,
  output: shapes.RECEIVE_MESSAGE_RESULT,
  writeJson: writeReceived,
  forXml: ({ Messages }) => (Messages === undefined ? {} : { Messages: Messages.map(inXml) }),
  start(context, input, caller, result: Settle<ReceiveResult>) {
    const queue = requireQueue(context, input.QueueUrl);
    const max = input.MaxNumberOfMessages ?? 1;
    if (max < 1 || max > SQS_BATCH_ENTRIES_MAX) {
      const reason = 'Must be between 1 and 10, if provided.';
      throw invalidParameter('MaxNumberOfMessages', max, reason);
    }
    const waitMs = inSeconds(
      'WaitTimeSeconds',
      input.WaitTimeSeconds,
      WAIT_MS_MAX,
      'Must be >= 0 and <= 20, if provided.',
    );
    const visibilityTimeoutMs = visibilityMs(input.VisibilityTimeout);
    const attemptId = attemptIdOf(input.ReceiveRequestAttemptId, queue);
    const receiving = new Receiving(context, queue, selectionOf(input), result);
    const options = { max, waitMs, visibilityTimeoutMs, attemptId };
    caller.onGone(context.service.receiveTo(queue, options, receiving));
  },
});

/** Milliseconds of a visibility timeout in seconds; undefined: the queue's. */
export function visibilityMs(seconds: number): number;
export function visibilityMs(seconds: number | undefined): number | undefined;
export function visibilityMs(seconds: number | undefined): number | undefined {
  const max = VISIBILITY_TIMEOUT_MS_MAX / MS_PER_SECOND;
  const reason = `VisibilityTimeout must be an integer between 0 and ${max}.`;
  return inSeconds('VisibilityTimeout', seconds, VISIBILITY_TIMEOUT_MS_MAX, reason);
}

function attemptIdOf(id: string | undefined, { attributes }: QueueDefinition): string | undefined {
  if (id === undefined) return undefined;
  if (!attributes.fifo) {
    const reason = 'The request include parameter that is not valid for this queue type.';
    throw invalidParameter('ReceiveRequestAttemptId', id, reason);
  }
  checkId('ReceiveRequestAttemptId', id, ATTEMPT_ID_CHARS_MAX);
  return id;
}

function extrasOf(
  message: DeliveredMessage,
  queue: QueueDefinition,
  selection: Selection,
  context: SqsContext,
): Extras {
  const Attributes = systemAttributes(message, queue, selection, context);
  const block = selection.attributes === undefined ? undefined : message.attributeBlock;
  if (block === undefined) return { ...NO_EXTRAS, Attributes };
  const selected = selectAttributes(block, selection.attributes!);
  return {
    Attributes,
    MD5OfMessageAttributes: selected === undefined ? undefined : md5Hex(selected.block),
    MessageAttributes: selected?.attributes.map(attributeResult),
  };
}

/** Another door takes characters that XML has no way to write, not even as references: they come
 *  as U+FFFD, and the digest is that of the body which the client sees. */
function inXml(message: ReceivedMessage): shapes.ReceivedMessage {
  const text = message.Body;
  if (isPlainText(text)) return message;
  const { MessageId, ReceiptHandle } = message;
  const { Attributes, MD5OfMessageAttributes, MessageAttributes } = message;
  const Body = plainText(text);
  const MD5OfBody = md5Hex(Buffer.from(Body, 'utf8'));
  const extras = { Attributes, MD5OfMessageAttributes, MessageAttributes };
  return { MessageId, ReceiptHandle, MD5OfBody, Body, ...extras };
}

function systemAttributes(
  message: DeliveredMessage,
  queue: QueueDefinition,
  { system, deadLetterReason }: Selection,
  context: SqsContext,
): shapes.ReceivedMessage['Attributes'] {
  if (system.length === 0 && !deadLetterReason) return undefined;
  const attributes: (readonly [string, string])[] = [];
  for (const index of system) {
    const [name, read] = SYSTEM_ATTRIBUTES[index]!;
    const value = read(message, queue, context);
    if (value !== undefined) attributes.push([name, value]);
  }
  if (deadLetterReason && message.deadLetterSource !== undefined) {
    attributes.push([DEAD_LETTER_REASON, RECEIVED_TOO_OFTEN]);
  }
  return attributes.length === 0 ? undefined : attributes;
}

function attributeResult({ name, type, value }: MessageAttribute) {
  const result =
    typeof value === 'string'
      ? { StringValue: value, DataType: type }
      : { BinaryValue: value, DataType: type };
  return [name, result] as const;
}
