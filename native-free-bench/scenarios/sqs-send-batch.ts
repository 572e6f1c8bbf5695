/* SQS over HTTP: SendMessageBatch of 10. */

import type { Bench, Scenario } from '../harness/bench.ts';
import type { Reading } from '../harness/rows.ts';
import { measureSqs, SQS_BATCH, SQS_CONNECTIONS } from './sqs.ts';
import { remoteEnqueueReading } from './standard.ts';

const TARGET_PER_SECOND = 200_000;

export function bareSendBatch(bench: Bench): Promise<Reading> {
  const settings = { batch: SQS_BATCH, lanes: SQS_CONNECTIONS };
  return remoteEnqueueReading(bench, { driver: 'sqs-json', ...settings });
}

export const scenario: Scenario = {
  name: 'sqs-send-batch',
  summary: 'SQS JSON: SendMessageBatch of 10 over 64 connections.',
  run: (bench) =>
    measureSqs(bench, {
      what: `SendMessageBatch of ${SQS_BATCH}`,
      target: TARGET_PER_SECOND,
      load: 'autocannon-post',
      requestsPerSecond: 12_000,
      bare: () => bareSendBatch(bench),
    }),
};
