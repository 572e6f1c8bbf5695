/* A duplicate is a duplicate across the death of the server that saw the first. */

import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { TestServer } from '../support/server.ts';
import { sqsClient } from '../torture/sqs-clients.ts';

const ROUNDS = 3;
const GROUPS = 20;

it('a send repeated after kill -9 is answered with the first, and stores nothing', async () => {
  await using server = await TestServer.start({ args: ['--partitions', '2', '--doors', '1'] });
  const client = sqsClient(server.url);
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: 'once.fifo',
      Attributes: { FifoQueue: 'true', ContentBasedDeduplication: 'true' },
    }),
  );
  const send = (group: number) =>
    client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: `said once by ${group}`,
        MessageGroupId: `g${group}`,
      }),
    );
  const receive = async () => {
    const command = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 });
    return (await client.send(command)).Messages ?? [];
  };
  const groups = Array.from({ length: GROUPS }, (_, group) => group);
  const first = await Promise.all(groups.map(send));
  const found: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await server.restart();
    const again = await Promise.all(groups.map(send));
    expect(again.map((each) => [each.MessageId, each.SequenceNumber])).toEqual(
      first.map((each) => [each.MessageId, each.SequenceNumber]),
    );
    // Deleting the first changes nothing about it.
    for (const { MessageId, ReceiptHandle } of await receive()) {
      found.push(MessageId!);
      await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
  expect(found.toSorted()).toEqual(first.map((each) => each.MessageId!).toSorted());
  client.destroy();
});
