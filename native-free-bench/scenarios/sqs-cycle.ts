/* SQS over HTTP: SendMessageBatch, ReceiveMessage and DeleteMessageBatch of 10. */

import type { Bench, Scenario } from '../harness/bench.ts';
import type { Reading } from '../harness/rows.ts';
import { measureSqs, SQS_BATCH, SQS_CONNECTIONS } from './sqs.ts';
import { remoteCycleReading } from './standard.ts';

const TARGET_PER_SECOND = 100_000;

export function bareSqsCycle(bench: Bench): Promise<Reading> {
  const lanes = SQS_CONNECTIONS / 2; // of senders, and as many of receivers
  return remoteCycleReading(bench, {}, { driver: 'sqs-json', batch: SQS_BATCH, lanes });
}

export const scenario: Scenario = {
  name: 'sqs-cycle',
  summary: 'SQS JSON: the full cycle in batches of 10.',
  run: (bench) =>
    measureSqs(bench, {
      what: `full cycle in batches of ${SQS_BATCH}`,
      target: TARGET_PER_SECOND,
      load: 'autocannon-cycle',
      requestsPerSecond: 12_000,
      bare: () => bareSqsCycle(bench),
    }),
};
