/* Every error that the official SDK models and that can happen here, made to happen: the SDK throws
 * its class for it. */

import * as aws from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DOOR_REQUEST_BYTES_MAX, HTTP_BODY_BYTES_MAX } from '../../src/base/limits.ts';
import { RawConnection } from '../support/raw-http.ts';
import { TestServer } from '../support/server.ts';
import { sqsClient } from '../support/sqs-client.ts';

let server: TestServer;
let sqs: aws.SQSClient;
let QueueUrl: string;
let fifoUrl: string;

beforeAll(async () => {
  server = await TestServer.start({ args: ['--strict-waits'] });
  sqs = sqsClient(server.url);
  QueueUrl = await newQueue('standard');
  fifoUrl = await newQueue('ordered.fifo', { FifoQueue: 'true' });
});

afterAll(async () => {
  sqs.destroy();
  await server.close();
});

async function newQueue(QueueName: string, Attributes: Record<string, string> = {}) {
  const created = await sqs.send(new aws.CreateQueueCommand({ QueueName, Attributes }));
  return created.QueueUrl!;
}

async function inFlight(url: string): Promise<string> {
  const message = { QueueUrl: url, MessageBody: 'x' };
  await sqs.send(new aws.SendMessageCommand(message));
  const receive = { QueueUrl: url, WaitTimeSeconds: 5 };
  const { Messages } = await sqs.send(new aws.ReceiveMessageCommand(receive));
  return Messages![0]!.ReceiptHandle!;
}

function entries(count: number, MessageBody = 'x') {
  return Array.from({ length: count }, (_, i) => ({ Id: `${i}`, MessageBody }));
}

/** Sends while as many bytes of requests are coming in as a door holds. */
async function whileRequestsFillTheDoor(): Promise<void> {
  const held: RawConnection[] = [];
  const body = Buffer.alloc(HTTP_BODY_BYTES_MAX - 1, 'x');
  try {
    for (let bytes = 0; bytes < DOOR_REQUEST_BYTES_MAX; bytes += HTTP_BODY_BYTES_MAX) {
      const connection = await RawConnection.open(server.port);
      held.push(connection);
      await connection.send(
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length + 1}\r\n\r\n`,
      );
      await connection.send(body);
    }
    const MessageBody = 'x'.repeat(1_000_000);
    for (;;) await sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody }));
  } finally {
    for (const connection of held) connection.close();
  }
}

const arnOf = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;

/** Makes each error happen; the name is the SDK's class. */
const CAUSES: readonly (readonly [error: string, status: number, cause: () => Promise<unknown>])[] =
  [
    [
      'QueueDoesNotExist',
      400,
      () => sqs.send(new aws.GetQueueUrlCommand({ QueueName: 'no-such-queue' })),
    ],
    [
      'QueueDoesNotExist',
      400,
      () => {
        const url = `${server.url}/000000000000/no-such-queue`;
        return sqs.send(new aws.SendMessageCommand({ QueueUrl: url, MessageBody: 'x' }));
      },
    ],
    ['QueueNameExists', 400, () => newQueue('standard', { VisibilityTimeout: '99' })],
    [
      'QueueDeletedRecently',
      400,
      async () => {
        const url = await newQueue('short-lived');
        await sqs.send(new aws.DeleteQueueCommand({ QueueUrl: url }));
        await newQueue('short-lived');
      },
    ],
    [
      'PurgeQueueInProgress',
      403,
      async () => {
        await sqs.send(new aws.PurgeQueueCommand({ QueueUrl }));
        await sqs.send(new aws.PurgeQueueCommand({ QueueUrl }));
      },
    ],
    [
      'BatchEntryIdsNotDistinct',
      400,
      () => {
        const Entries = [...entries(1), ...entries(1)];
        return sqs.send(new aws.SendMessageBatchCommand({ QueueUrl, Entries }));
      },
    ],
    [
      'BatchRequestTooLong',
      400,
      () => {
        const Entries = entries(2, 'x'.repeat(524_289));
        return sqs.send(new aws.SendMessageBatchCommand({ QueueUrl, Entries }));
      },
    ],
    [
      'EmptyBatchRequest',
      400,
      () => sqs.send(new aws.DeleteMessageBatchCommand({ QueueUrl, Entries: [] })),
    ],
    [
      'InvalidBatchEntryId',
      400,
      () => {
        const Entries = [{ Id: 'not an id', MessageBody: 'x' }];
        return sqs.send(new aws.SendMessageBatchCommand({ QueueUrl, Entries }));
      },
    ],
    [
      'TooManyEntriesInBatchRequest',
      400,
      () => sqs.send(new aws.SendMessageBatchCommand({ QueueUrl, Entries: entries(11) })),
    ],
    [
      'MessageNotInflight',
      400,
      async () => {
        const receipt = { QueueUrl, ReceiptHandle: await inFlight(QueueUrl) };
        const change = new aws.ChangeMessageVisibilityCommand({ ...receipt, VisibilityTimeout: 0 });
        await sqs.send(change);
        await sqs.send(
          new aws.ChangeMessageVisibilityCommand({ ...receipt, VisibilityTimeout: 10 }),
        );
      },
    ],
    [
      'UnsupportedOperation',
      400,
      () => {
        const value = { DataType: 'String', StringValue: 'x', StringListValues: ['a'] };
        const MessageAttributes = { list: value };
        return sqs.send(
          new aws.SendMessageCommand({ QueueUrl, MessageBody: 'x', MessageAttributes }),
        );
      },
    ],
    [
      'ReceiptHandleIsInvalid',
      404,
      () => sqs.send(new aws.DeleteMessageCommand({ QueueUrl, ReceiptHandle: 'forged' })),
    ],
    [
      'ReceiptHandleIsInvalid',
      404,
      async () => {
        const ReceiptHandle = await inFlight(QueueUrl);
        const url = await newQueue('another');
        await sqs.send(new aws.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
      },
    ],
    [
      'InvalidAddress',
      404,
      () => {
        const url = `${server.url}/`;
        return sqs.send(new aws.SendMessageCommand({ QueueUrl: url, MessageBody: 'x' }));
      },
    ],
    [
      'ResourceNotFoundException',
      404,
      () => {
        const SourceArn = arnOf('no-such-queue');
        return sqs.send(new aws.StartMessageMoveTaskCommand({ SourceArn }));
      },
    ],
    [
      'ResourceNotFoundException',
      404,
      () => sqs.send(new aws.CancelMessageMoveTaskCommand({ TaskHandle: 'forged' })),
    ],
    [
      'OverLimit',
      403,
      async () => {
        const url = await newQueue('narrow', { CapstanInFlightLimit: '1' });
        await inFlight(url);
        await sqs.send(new aws.SendMessageCommand({ QueueUrl: url, MessageBody: 'x' }));
        await sqs.send(new aws.ReceiveMessageCommand({ QueueUrl: url }));
      },
    ],
    ['RequestThrottled', 403, whileRequestsFillTheDoor],
    [
      'InvalidAttributeName',
      400,
      () => {
        const AttributeNames = ['NoSuchAttribute' as 'All'];
        return sqs.send(new aws.GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
      },
    ],
    [
      'InvalidAttributeValue',
      400,
      () => {
        const Attributes = { VisibilityTimeout: '43201' };
        return sqs.send(new aws.SetQueueAttributesCommand({ QueueUrl, Attributes }));
      },
    ],
    [
      'InvalidMessageContents',
      400,
      () => sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: 'a\u0000b' })),
    ],
    [
      'InvalidParameterValueException',
      400,
      () => {
        const message = { QueueUrl: fifoUrl, MessageBody: 'x', MessageGroupId: 'g' };
        return sqs.send(new aws.SendMessageCommand(message));
      },
    ],
    [
      'MissingRequiredParameterException',
      400,
      () => sqs.send(new aws.SendMessageCommand({ QueueUrl: fifoUrl, MessageBody: 'x' })),
    ],
  ];

test.each(CAUSES)('%s is answered with status %i', async (name, status, cause) => {
  const error = await cause().then(
    () => undefined,
    (thrown: unknown) => thrown as aws.SQSServiceException,
  );
  expect(error).toBeInstanceOf(aws.SQSServiceException);
  const modelled: Record<string, unknown> = { ...aws };
  if (name in modelled) expect(error).toBeInstanceOf(modelled[name]);
  expect(error).toMatchObject({ $fault: 'client', $metadata: { httpStatusCode: status } });
  expect(error!.message.length).toBeGreaterThan(10);
  expect(error!.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
});

test('those are all errors that the SDK models, but for those that have no cause here', () => {
  const NEVER = /^Kms|^InvalidSecurity$|^InvalidIdFormat$|^SQSServiceException$/;
  const modelled = Object.entries(aws)
    .filter(([name, each]) => isErrorClass(each) && !NEVER.test(name))
    .map(([name]) => name);
  expect(modelled.length).toBeGreaterThan(15);
  const caused = new Set(CAUSES.map(([name]) => name));
  expect(modelled.filter((name) => !caused.has(name))).toEqual([]);
});

function isErrorClass(value: unknown): boolean {
  return typeof value === 'function' && value.prototype instanceof aws.SQSServiceException;
}

test('one byte over the limit is refused, and the limit itself is not', async () => {
  const MessageBody = 'x'.repeat(1_048_576);
  await sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody }));
  await expect(
    sqs.send(new aws.SendMessageCommand({ QueueUrl, MessageBody: `${MessageBody}x` })),
  ).rejects.toThrow('Message must be shorter than 1048576 bytes.');
  const MessageAttributes = { a: { DataType: 'String', StringValue: 'b' } };
  const withAttributes = (bytes: number) =>
    sqs.send(
      new aws.SendMessageCommand({ QueueUrl, MessageBody: 'x'.repeat(bytes), MessageAttributes }),
    );
  await withAttributes(1_048_576 - 8);
  await expect(withAttributes(1_048_576 - 7)).rejects.toThrow('shorter than 1048576 bytes');
});

test('a message of the largest size has room for the longest ids beside it', async () => {
  const id = '~'.repeat(128);
  const message = {
    QueueUrl: fifoUrl,
    MessageBody: 'x'.repeat(1_048_576),
    MessageGroupId: id,
    MessageDeduplicationId: id,
  };
  const sent = await sqs.send(new aws.SendMessageCommand(message));
  expect(sent.SequenceNumber).toMatch(/^\d{20}$/);
});
