import { beforeEach, expect, test } from 'vitest';
import { BrokerError, ERRORS, type ErrorCode } from '../../../../src/base/errors.ts';
import { isSqsRequest } from '../../../../src/door/sqs/sqs-protocol.ts';
import { SqsCaller } from '../../../support/sqs-caller.ts';

const QueueUrl = 'http://h/0/orders';
let sqs: SqsCaller;

beforeEach(async () => {
  sqs = new SqsCaller();
  await sqs.json('CreateQueue', { QueueName: 'orders' });
  await sqs.json('CreateQueue', { QueueName: 'o.fifo', Attributes: { FifoQueue: 'true' } });
});

test('an error has its name, its words, and the code of the Query protocol', async () => {
  const answer = await sqs.json('GetQueueUrl', { QueueName: 'nothing' });
  expect(answer.status).toBe(400);
  expect(answer.body).toEqual({
    __type: 'com.amazonaws.sqs#QueueDoesNotExist',
    message: 'The specified queue does not exist.',
  });
  expect(answer.headers['x-amzn-query-error']).toBe(
    'AWS.SimpleQueueService.NonExistentQueue;Sender',
  );
});

/** Requests that are refused: an action, its parameters, the error, and a part of its words. */
const REFUSED: readonly (readonly [string, unknown, string, string])[] = [
  ['NoSuchAction', {}, 'UnknownOperationException', 'AmazonSQS.NoSuchAction'],
  ['__proto__', {}, 'UnknownOperationException', ''],
  ['SendMessage', 'not json', 'SerializationException', 'not JSON'],
  ['SendMessage', '[]', 'SerializationException', ''],
  ['SendMessage', '"text"', 'SerializationException', ''],
  ['SendMessage', Buffer.from([0x7b, 0xff, 0x7d]), 'SerializationException', 'UTF-8'],
  ['SendMessage', `{"a":${'['.repeat(200_000)}`, 'SerializationException', ''],
  ['SendMessage', '', 'MissingRequiredParameterException', 'QueueUrl'],
  ['SendMessage', { QueueUrl }, 'MissingRequiredParameterException', 'MessageBody'],
  ['SendMessage', { QueueUrl, MessageBody: null }, 'MissingRequiredParameterException', ''],
  ['SendMessage', { QueueUrl, MessageBody: '' }, 'MissingRequiredParameterException', ''],
  ['SendMessage', { QueueUrl, MessageBody: 5 }, 'SerializationException', 'MessageBody'],
  ['SendMessage', { QueueUrl: 5, MessageBody: 'x' }, 'SerializationException', 'QueueUrl'],
  ['SendMessage', { QueueUrl: '', MessageBody: 'x' }, 'InvalidAddress', ''],
  ['SendMessage', { QueueUrl: 'http://host', MessageBody: 'x' }, 'InvalidAddress', 'http://host'],
  ['SendMessage', { QueueUrl: '__proto__', MessageBody: 'x' }, 'QueueDoesNotExist', ''],
  ['SendMessage', { QueueUrl, MessageBody: 'a\u0001' }, 'InvalidMessageContents', '#x1'],
  ['SendMessage', { QueueUrl, MessageBody: '\ud800' }, 'InvalidMessageContents', '#xD800'],
  ['SendMessage', { QueueUrl, MessageBody: 'a\uffff' }, 'InvalidMessageContents', '#xFFFF'],
  ...[901, -1].map(
    (DelaySeconds) =>
      [
        'SendMessage',
        { QueueUrl, MessageBody: 'x', DelaySeconds },
        'InvalidParameterValueException',
        'DelaySeconds must be >= 0 and <= 900.',
      ] as const,
  ),
  ...['"1"', '1.5', '1e999', '2147483648', '[]', '{}', 'true'].map(
    (delay) =>
      [
        'SendMessage',
        `{"QueueUrl":"orders","MessageBody":"x","DelaySeconds":${delay}}`,
        'SerializationException',
        'DelaySeconds',
      ] as const,
  ),
  [
    'SendMessage',
    { QueueUrl, MessageBody: 'x', MessageDeduplicationId: 'd' },
    'InvalidParameterValueException',
    'not valid for this queue type',
  ],
  [
    'SendMessage',
    { QueueUrl, MessageBody: 'x', MessageGroupId: 'ä' },
    'InvalidParameterValueException',
    'MessageGroupId',
  ],
  [
    'SendMessage',
    { QueueUrl: 'o.fifo', MessageBody: 'x', MessageDeduplicationId: 'd' },
    'MissingRequiredParameterException',
    'MessageGroupId',
  ],
  [
    'SendMessage',
    { QueueUrl: 'o.fifo', MessageBody: 'x', MessageGroupId: 'g' },
    'InvalidParameterValueException',
    'ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
  ],
  [
    'SendMessage',
    {
      QueueUrl: 'o.fifo',
      MessageBody: 'x',
      MessageGroupId: 'g',
      MessageDeduplicationId: 'd',
      DelaySeconds: 1,
    },
    'InvalidParameterValueException',
    'not valid for this queue type',
  ],
  ['ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 0 }, 'InvalidParameterValueException', '10'],
  ['ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 11 }, 'InvalidParameterValueException', '10'],
  ['ReceiveMessage', { QueueUrl, WaitTimeSeconds: 21 }, 'InvalidParameterValueException', '20'],
  ['ReceiveMessage', { QueueUrl, VisibilityTimeout: 43201 }, 'InvalidParameterValueException', ''],
  ['ReceiveMessage', { QueueUrl, AttributeNames: ['Nothing'] }, 'InvalidAttributeName', 'Nothing'],
  ['ReceiveMessage', { QueueUrl, AttributeNames: 'All' }, 'SerializationException', ''],
  ['ReceiveMessage', { QueueUrl, AttributeNames: [null] }, 'SerializationException', ''],
  [
    'ReceiveMessage',
    { QueueUrl, ReceiveRequestAttemptId: 'a' },
    'InvalidParameterValueException',
    'not valid for this queue type',
  ],
  ['SendMessageBatch', { QueueUrl }, 'EmptyBatchRequest', 'SendMessageBatchRequestEntry'],
  ['SendMessageBatch', { QueueUrl, Entries: [] }, 'EmptyBatchRequest', ''],
  ['SendMessageBatch', { QueueUrl, Entries: {} }, 'SerializationException', ''],
  ['SendMessageBatch', { QueueUrl, Entries: [{}] }, 'MissingRequiredParameterException', 'Id'],
  ['DeleteMessage', { QueueUrl, ReceiptHandle: 'forged' }, 'ReceiptHandleIsInvalid', ''],
  ['DeleteMessage', { QueueUrl, ReceiptHandle: '' }, 'MissingRequiredParameterException', ''],
  ['CreateQueue', { QueueName: 'a.fifo' }, 'InvalidParameterValueException', ''],
  ['CreateQueue', { QueueName: 'a b' }, 'InvalidParameterValueException', ''],
  ['CreateQueue', { QueueName: 'a'.repeat(81) }, 'InvalidParameterValueException', ''],
  [
    'CreateQueue',
    { QueueName: 'a', Attributes: { FifoQueue: 'true' } },
    'InvalidParameterValueException',
    '.fifo',
  ],
  ['CreateQueue', { QueueName: 'a', tags: { '': 'x' } }, 'InvalidParameterValueException', ''],
  ['ListQueues', { MaxResults: 1001 }, 'InvalidParameterValueException', '1000'],
  ['ListQueues', { NextToken: '/../' }, 'InvalidParameterValueException', 'NextToken'],
  ['UntagQueue', { QueueUrl, TagKeys: [] }, 'MissingRequiredParameterException', 'TagKeys'],
  ['StartMessageMoveTask', { SourceArn: 'orders' }, 'InvalidParameterValueException', 'arn:'],
  [
    'StartMessageMoveTask',
    { SourceArn: 'arn:aws:sqs:eu-west-1:1:orders' },
    'InvalidParameterValueException',
    'Dead Letter Queue',
  ],
];

test.each(REFUSED)('%s with %j is refused with %s', async (action, parameters, name, words) => {
  const answer = await sqs.json(action, parameters as object);
  expect(answer.body).toMatchObject({ __type: `com.amazonaws.sqs#${name}` });
  expect(answer.body.message).toContain(words);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
});

test('keys that mean something to JavaScript are only keys', async () => {
  const body = '{"__proto__":{"MessageBody":"inherited"},"constructor":1,"QueueUrl":"orders"}';
  expect((await sqs.json('SendMessage', body)).body.message).toContain('MessageBody');
  const twice = '{"QueueUrl":"orders","MessageBody":"first","MessageBody":"last"}';
  expect((await sqs.json('SendMessage', twice)).status).toBe(200);
  const { Messages } = (await sqs.json('ReceiveMessage', { QueueUrl })).body;
  expect(Messages[0].Body).toBe('last');
  const named = '{"__proto__":{"DataType":"String","StringValue":"x"}}';
  const sent = `{"QueueUrl":"orders","MessageBody":"b","MessageAttributes":${named}}`;
  expect((await sqs.json('SendMessage', sent)).status).toBe(200);
  const received = await sqs.json('ReceiveMessage', { QueueUrl, MessageAttributeNames: ['All'] });
  expect(received.text).toContain('"MessageAttributes":{"__proto__":{');
  expect(({} as Record<string, unknown>)['MessageBody']).toBeUndefined();
});

test('the entries of a batch fail one by one', async () => {
  const Entries = [
    { Id: 'good', MessageBody: 'x' },
    { Id: 'late', MessageBody: 'x', DelaySeconds: 901 },
    { Id: 'bad', MessageBody: '\u0000' },
  ];
  const { body } = await sqs.json('SendMessageBatch', { QueueUrl, Entries });
  expect(body.Successful).toMatchObject([{ Id: 'good' }]);
  expect(body.Failed).toMatchObject([
    { Id: 'late', SenderFault: true, Code: 'InvalidParameterValue' },
    { Id: 'bad', SenderFault: true, Code: 'InvalidMessageContents' },
  ]);
  sqs.service.entryError = 'CAPSTAN_PARTITION_RESTARTING';
  const failed = await sqs.json('SendMessageBatch', { QueueUrl, Entries: Entries.slice(0, 1) });
  expect(failed.body).toEqual({
    Failed: [
      { Id: 'good', SenderFault: false, Code: 'ServiceUnavailable', Message: expect.any(String) },
    ],
  });
});

const CODES = Object.keys(ERRORS) as ErrorCode[];
test.each(CODES)('%s of the broker becomes an error of SQS with a fitting status', async (code) => {
  sqs.service.failure = new BrokerError(code, 'What happened.');
  const answer = await sqs.json('SendMessage', { QueueUrl, MessageBody: 'x' });
  const { __type: type } = answer.body as { __type: string };
  expect(type).toMatch(/^com\.amazonaws\.sqs#\w+$/);
  // What a client may repeat has to look so to the SDKs: a 5xx, or a name that they know.
  const { retryable } = ERRORS[code];
  const waits = /RequestThrottled|OverLimit|PurgeQueueInProgress|QueueDeletedRecently/;
  if (retryable) expect(answer.status >= 500 || waits.test(type)).toBe(true);
});

test('a defect is an internal failure, and its text stays inside', async () => {
  const logged: unknown[] = [];
  const note = (fields: object) => void logged.push(fields);
  const quiet = () => undefined;
  const logger = { debug: quiet, info: quiet, warn: quiet, error: note };
  sqs = new SqsCaller({ logger });
  await sqs.json('CreateQueue', { QueueName: 'orders' });
  sqs.service.failure = new TypeError('secret');
  const answer = await sqs.json('SendMessage', { QueueUrl, MessageBody: 'x' });
  expect(answer.status).toBe(500);
  expect(answer.headers['x-amzn-query-error']).toBe('InternalFailure;Receiver');
  expect(answer.text).not.toContain('secret');
  expect(logged).toMatchObject([{ error: sqs.service.failure }]);
});

test('requests of SQS are told from others', () => {
  const of = (given: object) =>
    isSqsRequest({ method: 'POST', path: '/', query: '', target: '', ...given });
  expect(of({})).toBe(true);
  expect(of({ path: '/v1/queues', target: 'AmazonSQS.ListQueues' })).toBe(true);
  expect(of({ method: 'GET', query: 'Version=1&Action=ListQueues' })).toBe(true);
  expect(of({ method: 'GET', path: '/000000000000/orders' })).toBe(true);
  expect(of({ method: 'GET' })).toBe(false);
  expect(of({ path: '/v1/queues' })).toBe(false);
  expect(of({ path: '/healthz' })).toBe(false);
});
