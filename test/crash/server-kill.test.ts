/* The server as users start it, killed at random moments under the official SDK and sqs-consumer,
 * both unmodified. */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { seededRandom } from '../support/seeded-random.ts';
import { TestServer } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { judge } from '../torture/history.ts';
import { readLedgers } from '../torture/ledger.ts';
import { sqsClient } from '../torture/sqs-clients.ts';
import { consumeByLibrary, produce, untilEmpty } from '../torture/sqs-workers.ts';

const KILLS = 5;
const MESSAGES_PER_PRODUCER = 600;
const VISIBILITY_MS = 2000;

it('a server killed five times while it is used loses nothing that it acknowledged', async () => {
  using folder = temporaryFolder();
  const ledgers = path.join(folder.path, 'ledgers');
  mkdirSync(ledgers);
  await using server = await TestServer.start({ args: ['--partitions', '2', '--doors', '2'] });
  const client = sqsClient(server.url);
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({
      QueueName: 'orders',
      Attributes: { VisibilityTimeout: String(VISIBILITY_MS / 1000) },
    }),
  );
  const stop = new AbortController();
  const common = {
    url: server.url,
    queueUrl: QueueUrl!,
    folder: ledgers,
    visibilityMs: VISIBILITY_MS,
    signal: stop.signal,
  };
  const consumers = ['c1', 'c2'].map((name) => consumeByLibrary({ ...common, name }));
  const producers = ['p1', 'p2'].map((name) =>
    produce({ ...common, name, count: MESSAGES_PER_PRODUCER, pauseMs: 20 }),
  );
  const random = seededRandom(1);
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(100 + random.below(400));
    const { signal } = await server.kill();
    expect(signal).toBe('SIGKILL');
    await server.start();
  }
  await Promise.all(producers);
  await untilEmpty(client, QueueUrl!, 60_000);
  stop.abort();
  const unexplained = (await Promise.all(consumers)).flat();
  client.destroy();

  expect(unexplained).toEqual([]);
  const promises = { drained: true, fifo: false, exclusive: true };
  const verdict = judge(readLedgers(ledgers), promises);
  expect(verdict.violations).toEqual([]);
  expect(verdict.sent).toBe(2 * MESSAGES_PER_PRODUCER);
});
