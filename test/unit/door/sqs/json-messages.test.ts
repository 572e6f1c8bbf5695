import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { SqsCaller } from '../../../support/sqs-caller.ts';

const QueueUrl = 'http://elsewhere.example/123456789012/orders';
let sqs: SqsCaller;

beforeEach(async () => {
  sqs = new SqsCaller();
  await sqs.json('CreateQueue', { QueueName: 'orders' });
});

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

test('a message is sent, received and deleted', async () => {
  const sent = await sqs.json('SendMessage', { QueueUrl, MessageBody: 'hello' });
  expect(sent.status).toBe(200);
  expect(sent.contentType).toBe('application/x-amz-json-1.0');
  expect(sent.headers['x-amzn-RequestId']).toMatch(/^[0-9a-f-]{36}$/);
  expect(sent.body).toEqual({ MD5OfMessageBody: md5('hello'), MessageId: expect.any(String) });

  const received = await sqs.json('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 });
  const [message] = received.body.Messages;
  expect(message).toEqual({
    MessageId: sent.body.MessageId,
    ReceiptHandle: expect.any(String),
    MD5OfBody: md5('hello'),
    Body: 'hello',
  });

  const { ReceiptHandle } = message;
  expect((await sqs.json('DeleteMessage', { QueueUrl, ReceiptHandle })).body).toEqual({});
  expect((await sqs.json('ReceiveMessage', { QueueUrl })).body).toEqual({});
});
