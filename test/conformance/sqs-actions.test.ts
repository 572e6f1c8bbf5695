/* Every action of the SQS API, called by the official SDK, on a server of its own. */

import * as aws from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestServer } from '../support/server.ts';
import { sqsClient } from '../support/sqs-client.ts';

let server: TestServer;
let sqs: aws.SQSClient;
let queues = 0;
/** Names of the commands that were answered. */
const answered = new Set<string>();

beforeAll(async () => {
  server = await TestServer.start({ args: ['--doors', '2'] });
  sqs = sqsClient(server.url);
  sqs.middlewareStack.add(
    (next, context) => async (args) => {
      const answer = await next(args);
      answered.add((context as { commandName: string }).commandName);
      return answer;
    },
    { step: 'initialize' },
  );
});

afterAll(async () => {
  sqs.destroy();
  await server.close();
});

/** A new queue's URL. */
async function newQueue(
  Attributes: Record<string, string> = {},
  suffix = Attributes['FifoQueue'] === 'true' ? '.fifo' : '',
): Promise<string> {
  const QueueName = `queue-${++queues}${suffix}`;
  const { QueueUrl } = await sqs.send(new aws.CreateQueueCommand({ QueueName, Attributes }));
  return QueueUrl!;
}

async function attributesOf(QueueUrl: string): Promise<Record<string, string>> {
  const command = new aws.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] });
  return (await sqs.send(command)).Attributes as Record<string, string>;
}

async function arnOf(QueueUrl: string): Promise<string> {
  return (await attributesOf(QueueUrl))['QueueArn']!;
}

async function receive(
  QueueUrl: string,
  options: Partial<aws.ReceiveMessageCommandInput> = {},
): Promise<aws.Message[]> {
  const input = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5, ...options };
  return (await sqs.send(new aws.ReceiveMessageCommand(input))).Messages ?? [];
}

/** Receives until `count` messages are there. */
async function receiveAll(QueueUrl: string, count: number): Promise<aws.Message[]> {
  const messages: aws.Message[] = [];
  while (messages.length < count) {
    const more = await receive(QueueUrl);
    if (more.length === 0) throw new Error(`${messages.length} messages of ${count} came`);
    messages.push(...more);
  }
  return messages;
}

test('a queue is created, found, listed, changed and deleted', async () => {
  const url = await newQueue({ VisibilityTimeout: '45' });
  expect(url).toBe(`${server.url}/000000000000/queue-${queues}`);
  const QueueName = `queue-${queues}`;
  const found = await sqs.send(new aws.GetQueueUrlCommand({ QueueName }));
  expect(found.QueueUrl).toBe(url);
  const listed = await sqs.send(new aws.ListQueuesCommand({ QueueNamePrefix: QueueName }));
  expect(listed.QueueUrls).toEqual([url]);
  expect((await attributesOf(url))['VisibilityTimeout']).toBe('45');

  const Attributes = { VisibilityTimeout: '50', DelaySeconds: '1' };
  await sqs.send(new aws.SetQueueAttributesCommand({ QueueUrl: url, Attributes }));
  expect(await attributesOf(url)).toMatchObject(Attributes);
  await sqs.send(new aws.DeleteQueueCommand({ QueueUrl: url }));
  await expect(attributesOf(url)).rejects.toThrow(aws.QueueDoesNotExist);
});

test('a new queue has the attributes of a new queue', async () => {
  const url = await newQueue();
  const attributes = await attributesOf(url);
  const now = Date.now() / 1000;
  expect(attributes).toEqual({
    QueueArn: `arn:aws:sqs:us-east-1:000000000000:queue-${queues}`,
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesNotVisible: '0',
    ApproximateNumberOfMessagesDelayed: '0',
    CreatedTimestamp: expect.stringMatching(/^\d{10}$/),
    LastModifiedTimestamp: expect.stringMatching(/^\d{10}$/),
    VisibilityTimeout: '30',
    MaximumMessageSize: '1048576',
    MessageRetentionPeriod: '345600',
    DelaySeconds: '0',
    ReceiveMessageWaitTimeSeconds: '0',
    SqsManagedSseEnabled: 'false',
  });
  expect(Math.abs(Number(attributes['CreatedTimestamp']) - now)).toBeLessThan(60);
});

test('every attribute of a queue that can be set is shown as it was set', async () => {
  const dead = await newQueue();
  const fifoDead = await newQueue({ FifoQueue: 'true' });
  const redrive = async (url: string) =>
    JSON.stringify({ deadLetterTargetArn: await arnOf(url), maxReceiveCount: 7 });
  const common = {
    DelaySeconds: '1',
    MaximumMessageSize: '2048',
    MessageRetentionPeriod: '61',
    ReceiveMessageWaitTimeSeconds: '2',
    VisibilityTimeout: '3',
    Policy: JSON.stringify({ Version: '2012-10-17', Statement: [] }),
    RedriveAllowPolicy: JSON.stringify({ redrivePermission: 'denyAll' }),
  };
  const byKey = { KmsMasterKeyId: 'alias/any', KmsDataKeyReusePeriodSeconds: '60' };
  const standard = { ...common, SqsManagedSseEnabled: 'true', RedrivePolicy: await redrive(dead) };
  const fifo = {
    ...common,
    ...byKey,
    FifoQueue: 'true',
    ContentBasedDeduplication: 'true',
    DeduplicationScope: 'messageGroup',
    FifoThroughputLimit: 'perMessageGroupId',
    RedrivePolicy: await redrive(fifoDead),
  };
  const shown = new Set<string>(['All']);
  for (const attributes of [standard, fifo]) {
    const found = await attributesOf(await newQueue(attributes));
    expect(found).toMatchObject(attributes);
    for (const name of Object.keys(found)) shown.add(name);
  }
  expect([...shown].toSorted()).toEqual(Object.values(aws.QueueAttributeName).toSorted());
});

test('creating a queue again with the same attributes answers with the same queue', async () => {
  const Attributes = { DelaySeconds: '3', FifoQueue: 'true', ContentBasedDeduplication: 'true' };
  const url = await newQueue(Attributes);
  const QueueName = `queue-${queues}.fifo`;
  const again = await sqs.send(new aws.CreateQueueCommand({ QueueName, Attributes }));
  expect(again.QueueUrl).toBe(url);
  const bare = { QueueName, Attributes: { FifoQueue: 'true' } };
  expect((await sqs.send(new aws.CreateQueueCommand(bare))).QueueUrl).toBe(url);
});

test('queues are listed page by page', async () => {
  const names = ['page-a', 'page-b', 'page-c', 'page-d', 'page-e'];
  for (const QueueName of names) await sqs.send(new aws.CreateQueueCommand({ QueueName }));
  const listed: string[] = [];
  const pages = aws.paginateListQueues({ client: sqs, pageSize: 2 }, { QueueNamePrefix: 'page-' });
  let count = 0;
  for await (const { QueueUrls } of pages) {
    count++;
    listed.push(...(QueueUrls ?? []));
  }
  expect(count).toBe(3);
  expect(listed).toEqual(names.map((name) => `${server.url}/000000000000/${name}`));
});

test('a message comes back with everything that was sent with it', async () => {
  const QueueUrl = await newQueue();
  const MessageAttributes = {
    text: { DataType: 'String', StringValue: 'Grüße, <Welt> & "Co" 😀' },
    number: { DataType: 'Number.int', StringValue: '-42' },
    bytes: { DataType: 'Binary.raw', BinaryValue: Uint8Array.of(0, 255, 128, 10) },
  };
  const header = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';
  const body = 'line\r\n\ttab "quoted" \\ \u{1f600} ünïcödé </xml>';
  const sent = await sqs.send(
    new aws.SendMessageCommand({
      QueueUrl,
      MessageBody: body,
      MessageAttributes,
      MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: header } },
      MessageGroupId: 'tenant-1',
    }),
  );
  expect(sent.MD5OfMessageAttributes).toMatch(/^[0-9a-f]{32}$/);
  expect(sent.MD5OfMessageSystemAttributes).toMatch(/^[0-9a-f]{32}$/);
  expect(sent.SequenceNumber).toBeUndefined();
  const [message] = await receive(QueueUrl, {
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
  });
  expect(message).toMatchObject({
    MessageId: sent.MessageId,
    Body: body,
    MD5OfBody: sent.MD5OfMessageBody,
    MD5OfMessageAttributes: sent.MD5OfMessageAttributes,
    MessageAttributes,
    Attributes: {
      SenderId: '000000000000',
      ApproximateReceiveCount: '1',
      AWSTraceHeader: header,
      MessageGroupId: 'tenant-1',
    },
  });
  const { SentTimestamp, ApproximateFirstReceiveTimestamp } = message!.Attributes!;
  expect(Number(ApproximateFirstReceiveTimestamp)).toBeGreaterThanOrEqual(Number(SentTimestamp));
});

test('a batch is sent, received, extended and deleted', async () => {
  const QueueUrl = await newQueue();
  const ids = Array.from({ length: 10 }, (_, i) => `m${i}`);
  const Entries = ids.map((Id) => ({ Id, MessageBody: `body of ${Id}` }));
  const sent = await sqs.send(new aws.SendMessageBatchCommand({ QueueUrl, Entries }));
  expect(sent.Successful!.map(({ Id }) => Id)).toEqual(ids);
  expect(sent.Failed).toBeUndefined();
  const messages = await receiveAll(QueueUrl, 10);
  const bodies = messages.map(({ Body }) => Body!).toSorted();
  expect(bodies).toEqual(Entries.map(({ MessageBody }) => MessageBody));

  const receipts = messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }));
  const extended = await sqs.send(
    new aws.ChangeMessageVisibilityBatchCommand({
      QueueUrl,
      Entries: receipts.map((receipt) => ({ ...receipt, VisibilityTimeout: 100 })),
    }),
  );
  expect(extended.Successful).toHaveLength(10);
  const deleted = await sqs.send(
    new aws.DeleteMessageBatchCommand({ QueueUrl, Entries: receipts }),
  );
  expect(deleted.Successful).toHaveLength(10);
  expect(await receive(QueueUrl, { WaitTimeSeconds: 0 })).toEqual([]);
});

test('a message made visible again is received again, with another receipt', async () => {
  const QueueUrl = await newQueue();
  await sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: 'again' }));
  const [first] = await receive(QueueUrl);
  const { ReceiptHandle } = first!;
  await sqs.send(
    new aws.ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
  );
  const MessageSystemAttributeNames = ['ApproximateReceiveCount'] as const;
  const [second] = await receive(QueueUrl, {
    MessageSystemAttributeNames: [...MessageSystemAttributeNames],
  });
  expect(second!.MessageId).toBe(first!.MessageId);
  expect(second!.ReceiptHandle).not.toBe(ReceiptHandle);
  expect(second!.Attributes).toEqual({ ApproximateReceiveCount: '2' });
  await sqs.send(new aws.DeleteMessageCommand({ QueueUrl, ReceiptHandle: second!.ReceiptHandle }));
  // Deleting twice succeeds.
  await sqs.send(new aws.DeleteMessageCommand({ QueueUrl, ReceiptHandle: second!.ReceiptHandle }));
});

test('a FIFO queue keeps order, and answers a duplicate with the first message', async () => {
  const QueueUrl = await newQueue({ FifoQueue: 'true' });
  const send = (MessageBody: string, MessageDeduplicationId: string) =>
    sqs.send(
      new aws.SendMessageCommand({
        QueueUrl,
        MessageBody,
        MessageDeduplicationId,
        MessageGroupId: 'g',
      }),
    );
  const first = await send('one', 'd1');
  await send('two', 'd2');
  const duplicate = await send('one more', 'd1');
  expect(duplicate.MessageId).toBe(first.MessageId);
  expect(duplicate.SequenceNumber).toBe(first.SequenceNumber);
  expect(first.SequenceNumber).toMatch(/^\d{20}$/);
  const messages = await receive(QueueUrl, { MessageSystemAttributeNames: ['All'] });
  expect(messages.map(({ Body }) => Body)).toEqual(['one', 'two']);
  expect(messages[0]!.Attributes).toMatchObject({
    MessageGroupId: 'g',
    MessageDeduplicationId: 'd1',
    SequenceNumber: first.SequenceNumber,
  });
});

test('purging takes every message', async () => {
  const QueueUrl = await newQueue();
  await sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: 'x' }));
  await sqs.send(new aws.PurgeQueueCommand({ QueueUrl }));
  expect(await receive(QueueUrl, { WaitTimeSeconds: 0 })).toEqual([]);
});

test('tags are added, listed and removed', async () => {
  const QueueUrl = await newQueue();
  await sqs.send(new aws.TagQueueCommand({ QueueUrl, Tags: { team: 'a', stage: 'test' } }));
  await sqs.send(new aws.UntagQueueCommand({ QueueUrl, TagKeys: ['team'] }));
  const { Tags } = await sqs.send(new aws.ListQueueTagsCommand({ QueueUrl }));
  expect(Tags).toEqual({ stage: 'test' });
});

test('permissions become statements of the policy', async () => {
  const QueueUrl = await newQueue();
  const Label = 'share';
  await sqs.send(
    new aws.AddPermissionCommand({
      QueueUrl,
      Label,
      AWSAccountIds: ['123456789012'],
      Actions: ['SendMessage'],
    }),
  );
  const policy = JSON.parse((await attributesOf(QueueUrl))['Policy']!);
  expect(policy.Statement).toMatchObject([{ Sid: Label, Action: ['SQS:SendMessage'] }]);
  await sqs.send(new aws.RemovePermissionCommand({ QueueUrl, Label }));
  expect((await attributesOf(QueueUrl))['Policy']).toBeUndefined();
});

test('permissions that many clients add at once are all kept, by whatever doors', async () => {
  const QueueUrl = await newQueue();
  const labels = Array.from({ length: 8 }, (_, i) => `label-${i}`);
  const clients = labels.map(() => sqsClient(server.url));
  const permission = { QueueUrl, AWSAccountIds: ['123456789012'], Actions: ['SendMessage'] };
  const add = (Label: string, i: number) =>
    clients[i]!.send(new aws.AddPermissionCommand({ ...permission, Label }));
  await Promise.all(labels.map(add));
  const policy = JSON.parse((await attributesOf(QueueUrl))['Policy']!);
  const kept = (policy.Statement as { Sid: string }[]).map(({ Sid }) => Sid);
  expect(kept.toSorted()).toEqual(labels);
  for (const client of clients) client.destroy();
});

test('messages received too often go to the dead-letter queue, and are moved back', async () => {
  const deadLetters = await newQueue();
  const arn = await arnOf(deadLetters);
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn, maxReceiveCount: 1 });
  const QueueUrl = await newQueue({ RedrivePolicy, VisibilityTimeout: '0' });
  expect((await attributesOf(QueueUrl))['RedrivePolicy']).toBe(RedrivePolicy);
  await sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: 'poison' }));
  expect(await receive(QueueUrl)).toHaveLength(1);
  expect(await receive(QueueUrl, { WaitTimeSeconds: 0 })).toEqual([]);
  const [dead] = await receive(deadLetters, {
    MessageSystemAttributeNames: ['All'],
    VisibilityTimeout: 0,
  });
  expect(dead!.Attributes!.DeadLetterQueueSourceArn).toBe(await arnOf(QueueUrl));
  const { queueUrls } = await sqs.send(
    new aws.ListDeadLetterSourceQueuesCommand({ QueueUrl: deadLetters }),
  );
  expect(queueUrls).toEqual([QueueUrl]);

  const started = await sqs.send(new aws.StartMessageMoveTaskCommand({ SourceArn: arn }));
  expect(started.TaskHandle).toBeTypeOf('string');
  const [back] = await receive(QueueUrl);
  expect(back!.Body).toBe('poison');
  const { Results } = await sqs.send(new aws.ListMessageMoveTasksCommand({ SourceArn: arn }));
  expect(Results).toMatchObject([{ SourceArn: arn, ApproximateNumberOfMessagesToMove: 1 }]);
});

test('a running move task is cancelled', async () => {
  const deadLetters = await newQueue();
  const SourceArn = await arnOf(deadLetters);
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: SourceArn, maxReceiveCount: 1 });
  await newQueue({ RedrivePolicy });
  const DestinationArn = await arnOf(await newQueue());
  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: 'x' }));
  await sqs.send(new aws.SendMessageBatchCommand({ QueueUrl: deadLetters, Entries }));
  const { TaskHandle } = await sqs.send(
    new aws.StartMessageMoveTaskCommand({
      SourceArn,
      DestinationArn,
      MaxNumberOfMessagesPerSecond: 1,
    }),
  );
  const running = await sqs.send(new aws.ListMessageMoveTasksCommand({ SourceArn }));
  expect(running.Results).toMatchObject([
    { Status: 'RUNNING', TaskHandle, DestinationArn, MaxNumberOfMessagesPerSecond: 1 },
  ]);
  const cancelled = await sqs.send(new aws.CancelMessageMoveTaskCommand({ TaskHandle }));
  expect(cancelled.ApproximateNumberOfMessagesMoved).toBeLessThan(10);
  const ended = await sqs.send(new aws.ListMessageMoveTasksCommand({ SourceArn }));
  expect(ended.Results![0]!.Status).toMatch(/^CANCELL(ED|ING)$/);
  expect(ended.Results![0]!.TaskHandle).toBeUndefined();
});

test('a long poll ends when a message comes', async () => {
  const QueueUrl = await newQueue();
  const polling = receive(QueueUrl, { WaitTimeSeconds: 20 });
  await sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: 'at last' }));
  expect((await polling).map(({ Body }) => Body)).toEqual(['at last']);
});

test('what goes beyond SQS is an attribute like any other', async () => {
  const QueueUrl = await newQueue({
    CapstanDelaySeconds: '86400',
    CapstanInFlightLimit: '7',
    CapstanRetryBackoff: '{"baseSeconds":1,"factor":2,"maxSeconds":60}',
  });
  expect(await attributesOf(QueueUrl)).toMatchObject({
    DelaySeconds: '86400',
    CapstanDelaySeconds: '86400',
    CapstanInFlightLimit: '7',
    CapstanRetryBackoff: '{"baseSeconds":1,"factor":2,"maxSeconds":60}',
  });
  await sqs.send(
    new aws.SendMessageCommand({
      QueueUrl,
      MessageBody: 'in an hour',
      MessageSystemAttributes: {
        CapstanDelaySeconds: { DataType: 'Number', StringValue: '3600' },
      } as Record<string, aws.MessageSystemAttributeValue>,
    }),
  );
  expect((await attributesOf(QueueUrl))['ApproximateNumberOfMessagesDelayed']).toBe('1');
});

test('every action that the SDK knows was answered', () => {
  const commands = Object.keys(aws).filter((name) => /[a-z]Command$/.test(name));
  expect([...answered].toSorted()).toEqual(commands.toSorted());
});
