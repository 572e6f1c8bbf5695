/* What the README's table of SQS support says beyond "the action answers": each claim by the
 * official SDK, on a server of its own. */

import * as aws from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestServer } from '../support/server.ts';
import { sqsClient } from '../support/sqs-client.ts';

let server: TestServer;
let sqs: aws.SQSClient;
let queues = 0;

beforeAll(async () => {
  server = await TestServer.start({ args: ['--partitions', '3'] });
  sqs = sqsClient(server.url);
});

afterAll(async () => {
  sqs.destroy();
  await server.close();
});

async function newQueue(Attributes: Record<string, string> = {}): Promise<string> {
  const suffix = Attributes['FifoQueue'] === 'true' ? '.fifo' : '';
  const QueueName = `claims-${++queues}${suffix}`;
  const { QueueUrl } = await sqs.send(new aws.CreateQueueCommand({ QueueName, Attributes }));
  return QueueUrl!;
}

async function arnOf(QueueUrl: string): Promise<string> {
  const command = new aws.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] });
  return (await sqs.send(command)).Attributes!['QueueArn']!;
}

function send(QueueUrl: string, MessageBody: string, more: object = {}) {
  return sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody, ...more }));
}

async function receive(
  QueueUrl: string,
  more: Partial<aws.ReceiveMessageCommandInput> = {},
): Promise<aws.Message[]> {
  const input = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 0, ...more };
  return (await sqs.send(new aws.ReceiveMessageCommand(input))).Messages ?? [];
}

const bodies = (messages: readonly aws.Message[]) => messages.map(({ Body }) => Body);

test('a group in flight is locked, others are not, and a deletion unlocks it', async () => {
  const url = await newQueue({ FifoQueue: 'true', ContentBasedDeduplication: 'true' });
  for (const body of ['a1', 'a2', 'b1']) await send(url, body, { MessageGroupId: body[0] });
  const [a1] = await receive(url, { MaxNumberOfMessages: 1 });
  expect(a1!.Body).toBe('a1');
  expect(bodies(await receive(url))).toEqual(['b1']);
  expect(await receive(url)).toEqual([]);
  const receipt = { QueueUrl: url, ReceiptHandle: a1!.ReceiptHandle };
  await sqs.send(new aws.DeleteMessageCommand(receipt));
  expect(bodies(await receive(url))).toEqual(['a2']);
});

test('content is the deduplication id where a queue says so, in each group or in all', async () => {
  const byContent = { FifoQueue: 'true', ContentBasedDeduplication: 'true' };
  const whole = await newQueue(byContent);
  const first = await send(whole, 'same', { MessageGroupId: 'a' });
  const again = await send(whole, 'same', { MessageGroupId: 'b' });
  expect(again).toMatchObject({
    MessageId: first.MessageId,
    SequenceNumber: first.SequenceNumber,
  });
  const grouped = await newQueue({
    ...byContent,
    DeduplicationScope: 'messageGroup',
    FifoThroughputLimit: 'perMessageGroupId',
  });
  const inA = await send(grouped, 'same', { MessageGroupId: 'a' });
  const inB = await send(grouped, 'same', { MessageGroupId: 'b' });
  expect(inB.MessageId).not.toBe(inA.MessageId);
  expect(await send(grouped, 'same', { MessageGroupId: 'a' })).toMatchObject({
    MessageId: inA.MessageId,
  });
});

test('a receive attempt that is repeated gets its messages again, and no others', async () => {
  const url = await newQueue({ FifoQueue: 'true', ContentBasedDeduplication: 'true' });
  for (const body of ['1', '2', '3']) await send(url, body, { MessageGroupId: 'g' });
  const attempt = { ReceiveRequestAttemptId: 'attempt-1', MaxNumberOfMessages: 2 };
  const first = await receive(url, attempt);
  const again = await receive(url, attempt);
  expect(bodies(again)).toEqual(['1', '2']);
  expect(again.map(({ MessageId }) => MessageId)).toEqual(first.map((each) => each.MessageId));
  expect(await receive(url, { ReceiveRequestAttemptId: 'attempt-2' })).toEqual([]);
});

test('an expired receipt deletes from a standard queue, and not from a FIFO queue', async () => {
  const standard = await newQueue();
  await send(standard, 'x');
  const [old] = await receive(standard, { VisibilityTimeout: 0, WaitTimeSeconds: 5 });
  const standardReceipt = { QueueUrl: standard, ReceiptHandle: old!.ReceiptHandle };
  await sqs.send(new aws.DeleteMessageCommand(standardReceipt));
  expect(await receive(standard)).toEqual([]);
  const fifo = await newQueue({ FifoQueue: 'true', ContentBasedDeduplication: 'true' });
  await send(fifo, 'x', { MessageGroupId: 'g' });
  const [held] = await receive(fifo, { VisibilityTimeout: 0 });
  const fifoReceipt = { QueueUrl: fifo, ReceiptHandle: held!.ReceiptHandle };
  await expect(sqs.send(new aws.DeleteMessageCommand(fifoReceipt))).rejects.toThrow(
    aws.SQSServiceException,
  );
  expect(bodies(await receive(fifo))).toEqual(['x']);
});

test('queues have delays, messages have timers, and what is due wakes a poll', async () => {
  const url = await newQueue({ DelaySeconds: '1' });
  await send(url, 'by the queue');
  await send(url, 'by its timer', { DelaySeconds: 2 });
  await send(url, 'at once', { DelaySeconds: 0 });
  expect(bodies(await receive(url, { WaitTimeSeconds: 5 }))).toEqual(['at once']);
  expect(bodies(await receive(url, { WaitTimeSeconds: 20 }))).toEqual(['by the queue']);
  expect(bodies(await receive(url, { WaitTimeSeconds: 20 }))).toEqual(['by its timer']);
});

test('message attributes are asked for by name, by prefix, and all', async () => {
  const url = await newQueue({ VisibilityTimeout: '0' });
  const text = (StringValue: string) => ({ DataType: 'String', StringValue });
  const MessageAttributes = { 'trace.id': text('1'), 'trace.span': text('2'), other: text('3') };
  await send(url, 'x', { MessageAttributes });
  const namesFor = async (...names: string[]) => {
    const options = { MessageAttributeNames: names, WaitTimeSeconds: 5 };
    const [message] = await receive(url, options);
    return Object.keys(message!.MessageAttributes ?? {}).toSorted();
  };
  expect(await namesFor()).toEqual([]);
  expect(await namesFor('other')).toEqual(['other']);
  expect(await namesFor('trace.*')).toEqual(['trace.id', 'trace.span']);
  for (const all of ['All', '.*']) {
    expect(await namesFor(all)).toEqual(['other', 'trace.id', 'trace.span']);
  }
});

test('a dead-letter queue says whose it is', async () => {
  const policy = (RedriveAllowPolicy: object) =>
    newQueue({ RedriveAllowPolicy: JSON.stringify(RedriveAllowPolicy) });
  const closed = await policy({ redrivePermission: 'denyAll' });
  const chosen = `arn:aws:sqs:us-east-1:000000000000:claims-${queues + 2}`;
  const choosy = await policy({ redrivePermission: 'byQueue', sourceQueueArns: [chosen] });
  const deadLettering = async (url: string) => ({
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: await arnOf(url), maxReceiveCount: 3 }),
  });
  expect(await arnOf(await newQueue(await deadLettering(choosy)))).toBe(chosen);
  for (const dead of [closed, choosy]) {
    await expect(newQueue(await deadLettering(dead))).rejects.toThrow(/RedriveAllowPolicy/);
  }
});

test('a FIFO dead-letter queue keeps the order of its groups, and so does a redrive', async () => {
  const dead = await newQueue({ FifoQueue: 'true' });
  const deadLetterTargetArn = await arnOf(dead);
  const url = await newQueue({
    FifoQueue: 'true',
    ContentBasedDeduplication: 'true',
    DeduplicationScope: 'messageGroup',
    FifoThroughputLimit: 'perMessageGroupId',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 }),
  });
  const other = await newQueue({ FifoQueue: 'true' });
  const groups = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const order of [1, 2, 3]) {
    for (const group of groups) await send(url, `${group}${order}`, { MessageGroupId: group });
  }
  const take = async (from: string, count: number): Promise<(string | undefined)[]> => {
    const taken: aws.Message[] = [];
    while (taken.length < count) {
      const messages = await receive(from, { WaitTimeSeconds: 5 });
      taken.push(...messages);
      for (const { ReceiptHandle } of messages) {
        await sqs.send(new aws.DeleteMessageCommand({ QueueUrl: from, ReceiptHandle }));
      }
    }
    return bodies(taken).toSorted((a, b) => a!.charCodeAt(0) - b!.charCodeAt(0));
  };
  let left = groups.length * 3;
  while (left > 0) {
    const received = await receive(url, { VisibilityTimeout: 1, WaitTimeSeconds: 5 });
    left -= received.length;
  }
  const expected = groups.flatMap((group) => [1, 2, 3].map((order) => `${group}${order}`));
  const counts = async (QueueUrl: string) => {
    const AttributeNames = ['ApproximateNumberOfMessages' as const];
    const command = new aws.GetQueueAttributesCommand({ QueueUrl, AttributeNames });
    return Number((await sqs.send(command)).Attributes!['ApproximateNumberOfMessages']);
  };
  await expect.poll(() => counts(dead), { timeout: 20_000 }).toBe(expected.length);
  const move = { SourceArn: deadLetterTargetArn, DestinationArn: await arnOf(other) };
  await sqs.send(new aws.StartMessageMoveTaskCommand(move));
  expect(await take(other, expected.length)).toEqual(expected);
  const list = new aws.ListMessageMoveTasksCommand({ SourceArn: deadLetterTargetArn });
  const { Results } = await sqs.send(list);
  expect(Results![0]).toMatchObject({
    ApproximateNumberOfMessagesMoved: expected.length,
    ApproximateNumberOfMessagesToMove: expected.length,
  });
});

test('a quiet tenant of a standard queue does not wait behind a noisy one', async () => {
  const url = await newQueue();
  for (let batch = 0; batch < 20; batch++) {
    const Entries = Array.from({ length: 10 }, (_, i) => ({
      Id: `${i}`,
      MessageBody: 'noise',
      MessageGroupId: 'noisy',
    }));
    await sqs.send(new aws.SendMessageBatchCommand({ QueueUrl: url, Entries }));
  }
  await send(url, 'quiet', { MessageGroupId: 'quiet' });
  const first: (string | undefined)[] = [];
  for (let i = 0; i < 3; i++) first.push(...bodies(await receive(url)));
  expect(first).toContain('quiet');
});

test('what comes back waits longer each time, and dies with a reason, beyond SQS', async () => {
  const dead = await newQueue();
  const url = await newQueue({
    VisibilityTimeout: '0',
    CapstanRetryBackoff: JSON.stringify({ baseSeconds: 0.4, factor: 3, maxSeconds: 10 }),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: await arnOf(dead), maxReceiveCount: 3 }),
  });
  await send(url, 'x');
  const waits: number[] = [];
  for (let count = 1; count <= 3; count++) {
    const began = performance.now();
    expect(bodies(await receive(url, { WaitTimeSeconds: 20 }))).toEqual(['x']);
    waits.push(performance.now() - began);
  }
  expect(waits[1]).toBeGreaterThan(350);
  expect(waits[2]).toBeGreaterThan(1100);
  const name = 'CapstanDeadLetterReason' as aws.MessageSystemAttributeName;
  const [letter] = await receive(dead, {
    WaitTimeSeconds: 20,
    MessageSystemAttributeNames: ['DeadLetterQueueSourceArn', name],
  });
  expect(letter!.Attributes).toEqual({
    DeadLetterQueueSourceArn: await arnOf(url),
    [name]: 'MaxReceiveCountExceeded',
  });
});

test('any region, account and host of a queue URL means this server', async () => {
  const url = await newQueue();
  const name = url.split('/').at(-1)!;
  for (const QueueUrl of [name, `https://sqs.eu-west-3.amazonaws.com/123456789012/${name}`]) {
    await sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: QueueUrl }));
  }
  expect(await receive(url, { WaitTimeSeconds: 5 })).not.toEqual([]);
});
