/* Actions on queues as a whole. */

import { BrokerError } from '../../base/errors.ts';
import { QUEUES_LISTED_MAX } from '../../base/limits.ts';
import type { QueueAttributes } from '../../command/queue-definition.ts';
import { action, type Caller, requireNamed, requireQueue, type SqsContext } from './action.ts';
import { differingAttribute, readAttributes, writeAttributes } from './queue-attributes.ts';
import * as shapes from './shapes.ts';
import { invalidParameter, SqsError } from './sqs-errors.ts';
import { checkTags } from './tag-actions.ts';

const NAME = /^[A-Za-z0-9_-]{1,80}$/;
const FIFO_NAME = /^(?=.{6,80}$)[A-Za-z0-9_-]+\.fifo$/;

type AttributeTexts = readonly (readonly [name: string, text: string])[];

function checkName(name: string, fifo: boolean): void {
  if ((fifo ? FIFO_NAME : NAME).test(name)) return;
  throw new SqsError(
    'InvalidParameterValueException',
    fifo
      ? 'The name of a FIFO queue can only include alphanumeric characters, hyphens, or ' +
          'underscores, must end with .fifo suffix and be 1 to 80 in length.'
      : 'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
  );
}

export const createQueue = action({
  name: 'CreateQueue',
  input: shapes.CREATE_QUEUE,
  output: shapes.QUEUE_URL_RESULT,
  async run(context, { QueueName: name, Attributes: given = [], tags = [] }, caller) {
    const fifo = given.some(([key, text]) => key === 'FifoQueue' && /^true$/i.test(text));
    checkName(name, fifo);
    checkTags(tags, name);
    const attributes = { ...readAttributes(given, fifo), fifo };
    checkRedrive(context, name, fifo, attributes, given);
    try {
      await context.service.createQueue(name, attributes, Object.fromEntries(tags));
    } catch (error) {
      throw createError(error, name, given, context);
    }
    return { QueueUrl: context.addresses.url(name, caller.host) };
  },
});

/** Says in SQS's words which attribute is in the way. */
function createError(
  error: unknown,
  name: string,
  given: AttributeTexts,
  { service, addresses }: SqsContext,
): unknown {
  const queue = service.findQueue(name);
  const isTaken = error instanceof BrokerError && error.code === 'CAPSTAN_QUEUE_NAME_EXISTS';
  if (!isTaken || queue === undefined) return error;
  const view = { queue, counts: service.counts(queue), addresses };
  const attribute = differingAttribute(given, view) ?? 'FifoQueue';
  return new SqsError(
    'QueueNameExists',
    `A queue already exists with the same name and a different value for attribute ${attribute}`,
    { cause: error },
  );
}

/** The catalog checks this too; here it is said in SQS's words. */
function checkRedrive(
  { service }: SqsContext,
  name: string,
  fifo: boolean,
  { redrivePolicy }: Partial<QueueAttributes>,
  given: AttributeTexts,
): void {
  if (redrivePolicy === undefined) return;
  const target = service.findQueue(redrivePolicy.deadLetterQueue);
  const allow = target?.attributes.redriveAllowPolicy;
  const reasons: readonly (readonly [holds: boolean, reason: string])[] = [
    [target === undefined, 'Dead letter target does not exist.'],
    [target?.name === name, 'A queue can not be its own dead letter target.'],
    [
      target?.attributes.fifo !== fifo,
      'Dead-letter queue must be same type of queue as the source.',
    ],
    [
      allow?.permission === 'denyAll' ||
        (allow?.permission === 'byQueue' && !allow.sourceQueues.includes(name)),
      'The RedriveAllowPolicy of the dead letter target does not allow this queue.',
    ],
  ];
  const reason = reasons.find(([holds]) => holds)?.[1];
  if (reason === undefined) return;
  const text = given.find(([key]) => key === 'RedrivePolicy')?.[1];
  throw invalidParameter('RedrivePolicy', text, reason);
}

export const deleteQueue = action({
  name: 'DeleteQueue',
  input: shapes.QUEUE_ONLY,
  output: shapes.NOTHING,
  async run(context, { QueueUrl }) {
    const queue = requireQueue(context, QueueUrl);
    await context.service.deleteQueue(queue.name);
    return {};
  },
});

export const getQueueUrl = action({
  name: 'GetQueueUrl',
  input: shapes.GET_QUEUE_URL,
  output: shapes.QUEUE_URL_RESULT,
  run({ service, addresses }, { QueueName }, caller) {
    const { name } = requireNamed(service, QueueName);
    return { QueueUrl: addresses.url(name, caller.host) };
  },
});

/** A page of a list of names: a token says after which name to go on. */
function page(
  maxResults: number | undefined,
  token: string | undefined,
): { readonly max: number; readonly after: string | undefined } {
  const max = maxResults ?? QUEUES_LISTED_MAX;
  if (max < 1 || max > QUEUES_LISTED_MAX) {
    const reason = `MaxResults must be an integer between 1 and ${QUEUES_LISTED_MAX}`;
    throw invalidParameter('MaxResults', max, reason);
  }
  if (token === undefined) return { max, after: undefined };
  const after = Buffer.from(token, 'base64url').toString('latin1');
  if (!NAME.test(after) && !FIFO_NAME.test(after)) {
    throw invalidParameter('NextToken', token, 'Invalid or expired next token.');
  }
  return { max, after };
}

/** The names of one page, as URLs, and the token of the next one. Whoever does not say how many
 *  results to give at most gets no token. Rule: SQS ListQueues. */
function pageResult(
  names: readonly string[],
  max: number,
  isPaged: boolean,
  { addresses }: SqsContext,
  { host }: Caller,
): { readonly urls: string[]; readonly NextToken: string | undefined } {
  const shown = names.slice(0, max);
  const isMore = isPaged && names.length > max;
  return {
    urls: shown.map((name) => addresses.url(name, host)),
    NextToken: isMore ? Buffer.from(shown.at(-1)!, 'latin1').toString('base64url') : undefined,
  };
}

export const listQueues = action({
  name: 'ListQueues',
  input: shapes.LIST_QUEUES,
  output: shapes.LIST_QUEUES_RESULT,
  run(context, { QueueNamePrefix: prefix, NextToken, MaxResults }, caller) {
    const { max, after } = page(MaxResults, NextToken);
    const queues = context.service.listQueues({ prefix, max: max + 1, after });
    const names = queues.map(({ name }) => name);
    const isPaged = (MaxResults ?? NextToken) !== undefined;
    const { urls, NextToken: next } = pageResult(names, max, isPaged, context, caller);
    return { QueueUrls: urls.length === 0 ? undefined : urls, NextToken: next };
  },
});

export const listDeadLetterSourceQueues = action({
  name: 'ListDeadLetterSourceQueues',
  input: shapes.LIST_SOURCES,
  output: shapes.LIST_SOURCES_RESULT,
  run(context, { QueueUrl, NextToken, MaxResults }, caller) {
    const { name } = requireQueue(context, QueueUrl);
    const { max, after = '' } = page(MaxResults, NextToken);
    const names = context.service.listDeadLetterSources(name).filter((source) => source > after);
    const isPaged = (MaxResults ?? NextToken) !== undefined;
    const { urls, NextToken: next } = pageResult(names, max, isPaged, context, caller);
    return { queueUrls: urls, NextToken: next };
  },
});

export const getQueueAttributes = action({
  name: 'GetQueueAttributes',
  input: shapes.GET_ATTRIBUTES,
  output: shapes.GET_ATTRIBUTES_RESULT,
  run(context, { QueueUrl, AttributeNames = [] }) {
    const { service, addresses } = context;
    const queue = requireQueue(context, QueueUrl);
    const view = { queue, counts: service.counts(queue), addresses };
    const attributes = writeAttributes(AttributeNames, view);
    return attributes.length === 0 ? {} : { Attributes: attributes };
  },
});

export const setQueueAttributes = action({
  name: 'SetQueueAttributes',
  input: shapes.SET_ATTRIBUTES,
  output: shapes.NOTHING,
  async run(context, { QueueUrl, Attributes: given }) {
    const { name, attributes } = requireQueue(context, QueueUrl);
    const { fifo } = attributes;
    const changes = readAttributes(given, fifo);
    if (changes.fifo !== undefined && changes.fifo !== fifo) {
      throw new SqsError(
        'InvalidAttributeValue',
        'Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.',
      );
    }
    checkRedrive(context, name, fifo, changes, given);
    await context.service.setAttributes(name, changes);
    return {};
  },
});

export const purgeQueue = action({
  name: 'PurgeQueue',
  input: shapes.QUEUE_ONLY,
  output: shapes.NOTHING,
  async run(context, { QueueUrl }) {
    await context.service.purge(requireQueue(context, QueueUrl));
    return {};
  },
});
