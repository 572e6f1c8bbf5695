/* sqs-producer sends while sqs-consumer handles and deletes, and the server is killed again and
 * again meanwhile. What was acknowledged holds: every message whose send was is handled at least
 * once, and none whose deletion was comes back. */

import { CreateQueueCommand, DeleteMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import { Producer } from 'sqs-producer';
import { expect, test } from 'vitest';
import { TestServer } from '../support/server.ts';
import { sqsClient } from '../support/sqs-client.ts';

const MESSAGES = 1000;
const KILLS = 3;
const PATIENCE_MS = 120_000;
const LOOK_MS = 20;

test(
  'sqs-producer and sqs-consumer lose nothing, however often the server dies',
  async () => {
    await using server = await TestServer.start({ args: ['--partitions', '2'] });
    const sqs = sqsClient(server.url, { maxAttempts: 20 });
    const Attributes = { VisibilityTimeout: '2' };
    const queue = { QueueName: 'work', Attributes };
    const queueUrl = (await sqs.send(new CreateQueueCommand(queue))).QueueUrl!;
    const log = consume(sqs, queueUrl);
    const sent = produce(sqs, queueUrl);
    for (let kill = 1; kill <= KILLS; kill++) {
      await until(() => log.handled.size >= (MESSAGES * kill) / (KILLS + 1));
      await server.restart();
    }
    const acknowledged = await sent;
    expect(acknowledged.size).toBe(MESSAGES);
    await until(() => [...acknowledged].every((id) => log.handled.has(id)));
    log.consumer.stop();
    await until(() => !log.consumer.status.isRunning);
    expect(log.resurrected).toEqual([]);
    sqs.destroy();
  },
  PATIENCE_MS,
);

/** Sends all messages; resolves with the ids of those that were acknowledged. */
async function produce(sqs: SQSClient, queueUrl: string): Promise<Set<string>> {
  const producer = Producer.create({ queueUrl, sqs });
  const acknowledged = new Set<string>();
  for (let first = 0; first < MESSAGES; first += 10) {
    const batch = Array.from({ length: 10 }, (_, i) => ({
      id: `m${first + i}`,
      body: JSON.stringify({ number: first + i }),
    }));
    const results = await producer.send(batch);
    for (const { MessageId } of results) acknowledged.add(MessageId!);
  }
  return acknowledged;
}

function consume(sqs: SQSClient, queueUrl: string) {
  const handled = new Set<string>();
  const deleted = new Set<string>();
  const resurrected: string[] = [];
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    batchSize: 10,
    waitTimeSeconds: 1,
    pollingWaitTimeMs: 0,
    shouldDeleteMessages: false,
    handleMessageBatch: async (messages) => {
      for (const { MessageId } of messages) {
        if (deleted.has(MessageId!)) resurrected.push(MessageId!);
        handled.add(MessageId!);
      }
      const Entries = messages.map(({ MessageId, ReceiptHandle }, i) => ({
        Id: `${i}`,
        MessageId,
        ReceiptHandle,
      }));
      const result = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
      for (const { Id } of result.Successful ?? []) deleted.add(messages[Number(Id)]!.MessageId!);
      return messages;
    },
  });
  // Errors are what a dying server answers with; the consumer polls on.
  consumer.on('error', () => undefined);
  consumer.on('processing_error', () => undefined);
  consumer.start();
  return { consumer, handled, resurrected };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
