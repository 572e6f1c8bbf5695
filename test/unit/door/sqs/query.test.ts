import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { SqsCaller } from '../../../support/sqs-caller.ts';

const QueueUrl = 'http://h/000000000000/orders';
const NAMESPACE = 'http://queue.amazonaws.com/doc/2012-11-05/';
let sqs: SqsCaller;

beforeEach(async () => {
  sqs = new SqsCaller();
  await sqs.query('CreateQueue', { QueueName: 'orders' });
});

test('an answer is XML in the namespace of the service, with its request id', async () => {
  const answer = await sqs.query('GetQueueUrl', { QueueName: 'orders' });
  expect(answer.contentType).toBe('text/xml');
  const { GetQueueUrlResponse: response } = answer.body;
  expect(response['@_xmlns']).toBe(NAMESPACE);
  expect(response.GetQueueUrlResult.QueueUrl).toBe('http://localhost:9324/000000000000/orders');
  expect(response.ResponseMetadata.RequestId).toBe(answer.headers['x-amzn-RequestId']);
});

test('an action without a result answers with its request id alone', async () => {
  const { body } = await sqs.query('PurgeQueue', { QueueUrl });
  expect(Object.keys(body.PurgeQueueResponse)).toEqual(['ResponseMetadata', '@_xmlns']);
});

test('an error is an ErrorResponse with the code of the Query protocol', async () => {
  const answer = await sqs.query('GetQueueUrl', { QueueName: '<no & such>' });
  expect(answer.status).toBe(400);
  const { ErrorResponse: response } = answer.body;
  expect(response['@_xmlns']).toBe(NAMESPACE);
  expect(response.Error).toMatchObject({
    Type: 'Sender',
    Code: 'AWS.SimpleQueueService.NonExistentQueue',
    Message: 'The specified queue does not exist.',
  });
  expect(response.RequestId).toBe(answer.headers['x-amzn-RequestId']);
});

const FORMS: readonly (readonly [string, Record<string, string>])[] = [
  ['numbered', { 'Attribute.1.Name': 'VisibilityTimeout', 'Attribute.1.Value': '77' }],
  ['without a number', { 'Attribute.Name': 'VisibilityTimeout', 'Attribute.Value': '77' }],
  [
    "under the field's own name",
    { 'Attributes.entry.1.key': 'VisibilityTimeout', 'Attributes.entry.1.value': '77' },
  ],
  ['with gaps', { 'Attribute.7.Name': 'VisibilityTimeout', 'Attribute.7.Value': '77' }],
];
test.each(FORMS)('a map is read %s', async (_, parameters) => {
  const set = await sqs.query('SetQueueAttributes', { QueueUrl, ...parameters });
  expect(set.status).toBe(200);
  expect(sqs.service.findQueue('orders')!.attributes.visibilityTimeoutMs).toBe(77_000);
});

test.each([
  ['AttributeName.1'],
  ['AttributeNames.1'],
  ['AttributeNames.member.1'],
  ['AttributeName'],
])('a list is read as %s', async (name) => {
  const { body } = await sqs.query('GetQueueAttributes', { QueueUrl, [name]: 'DelaySeconds' });
  const { Attribute } = body.GetQueueAttributesResponse.GetQueueAttributesResult;
  expect(Attribute).toEqual([{ Name: 'DelaySeconds', Value: '0' }]);
});

test('more than nine members keep the order of their numbers', async () => {
  const entries = Array.from({ length: 10 }, (_, i) => [
    [`SendMessageBatchRequestEntry.${i + 1}.Id`, `id${i + 1}`],
    [`SendMessageBatchRequestEntry.${i + 1}.MessageBody`, `body${i + 1}`],
  ]).flat();
  const { body } = await sqs.query('SendMessageBatch', {
    QueueUrl,
    ...Object.fromEntries(entries.toReversed() as [string, string][]),
  });
  const { SendMessageBatchResultEntry: sent } =
    body.SendMessageBatchResponse.SendMessageBatchResult;
  const ids = sent.map(({ Id }: { Id: string }) => Id);
  expect(ids).toEqual(Array.from({ length: 10 }, (_, i) => `id${i + 1}`));
});

test('message attributes go in by their names, and come out as elements', async () => {
  await sqs.query('SendMessage', {
    MessageBody: 'a',
    'MessageAttribute.1.Name': 'text',
    'MessageAttribute.1.Value.DataType': 'String',
    'MessageAttribute.1.Value.StringValue': 'x < y',
    'MessageAttribute.2.Name': 'bytes',
    'MessageAttribute.2.Value.DataType': 'Binary',
    'MessageAttribute.2.Value.BinaryValue': 'AP8=',
    QueueUrl,
  });
  const { body } = await sqs.query('ReceiveMessage', {
    QueueUrl,
    'MessageAttributeName.1': 'All',
    'AttributeName.1': 'ApproximateReceiveCount',
    'AttributeName.2': 'SenderId',
  });
  const message = body.ReceiveMessageResponse.ReceiveMessageResult.Message;
  expect(message.MessageAttribute).toEqual([
    { Name: 'bytes', Value: { DataType: 'Binary', BinaryValue: 'AP8=' } },
    { Name: 'text', Value: { DataType: 'String', StringValue: 'x < y' } },
  ]);
  expect(message.Attribute).toEqual([
    { Name: 'SenderId', Value: '000000000000' },
    { Name: 'ApproximateReceiveCount', Value: '1' },
  ]);
});

test('text comes back as it was sent, also what XML has to escape', async () => {
  const text = ' \r\n\t<&>"\' + % é 😀 ]]> ';
  await sqs.query('SendMessage', { QueueUrl, MessageBody: text });
  const answer = await sqs.query('ReceiveMessage', { QueueUrl });
  // A parser makes line feeds of bare carriage returns.
  expect(answer.text).toContain('&#xD;\n');
  const message = answer.body.ReceiveMessageResponse.ReceiveMessageResult.Message;
  expect(message.Body).toBe(text);
});

test('a body that is no text is answered as one that is, with the digest of that', async () => {
  const queue = sqs.service.findQueue('orders')!;
  await sqs.service.send(queue, [{ body: Uint8Array.of(0x61, 0xff, 0x62) }]);
  const { body } = await sqs.query('ReceiveMessage', { QueueUrl });
  const message = body.ReceiveMessageResponse.ReceiveMessageResult.Message;
  expect(message.Body).toBe('a\ufffdb');
  expect(message.MD5OfBody).toBe(createHash('md5').update('a\ufffdb').digest('hex'));
});

test('characters that XML does not have are marked, and digested as marks', async () => {
  const queue = sqs.service.findQueue('orders')!;
  const body = 'a\u0000b\u001fc\ufffe';
  await sqs.service.send(queue, [{ body }]);
  const { body: answer } = await sqs.query('ReceiveMessage', { QueueUrl, VisibilityTimeout: '0' });
  const message = answer.ReceiveMessageResponse.ReceiveMessageResult.Message;
  const marked = 'a\ufffdb\ufffdc\ufffd';
  expect(message.Body).toBe(marked);
  expect(message.MD5OfBody).toBe(createHash('md5').update(marked).digest('hex'));
  // JSON has a way to write them.
  const { Messages } = (await sqs.json('ReceiveMessage', { QueueUrl })).body;
  expect(Messages[0]).toMatchObject({
    Body: body,
    MD5OfBody: createHash('md5').update(body).digest('hex'),
  });
});

test('a queue is named by the path as well, and the query string is read too', async () => {
  const path = '/000000000000/orders';
  expect((await sqs.query('SendMessage', { MessageBody: 'x' }, path)).status).toBe(200);
  const query = 'Action=SendMessage&MessageBody=a+b%26c';
  expect((await sqs.request({ method: 'GET', path, query })).status).toBe(200);
  const bodies = sqs.service.sent.map(({ body }) => Buffer.from(body).toString());
  expect(bodies).toEqual(['a b&c']);
});

test.each([
  ['', 'MissingAction'],
  ['Action=Nothing', 'InvalidAction'],
  ['Action=__proto__', 'InvalidAction'],
  ['Action=SendMessage', 'MissingParameter'],
  ['Action=%E0%A4%A', 'MalformedInput'],
  [`Action=SendMessage&${'a.'.repeat(100_000)}=1`, 'MissingParameter'],
  ['Action=ReceiveMessage&QueueUrl=orders&WaitTimeSeconds=x', 'MalformedInput'],
  ['Action=SendMessageBatch&QueueUrl=orders', 'AWS.SimpleQueueService.EmptyBatchRequest'],
  [
    'Action=DeleteMessageBatch&QueueUrl=orders&DeleteMessageBatchRequestEntry=',
    'AWS.SimpleQueueService.EmptyBatchRequest',
  ],
  ['Action=SetQueueAttributes&QueueUrl=orders&Attribute.1.Name=Policy', 'MissingParameter'],
])('%s is refused with %s', async (form, code) => {
  const contentType = 'application/x-www-form-urlencoded';
  const answer = await sqs.request({ contentType, body: Buffer.from(form) });
  expect(answer.body.ErrorResponse.Error.Code).toBe(code);
});
