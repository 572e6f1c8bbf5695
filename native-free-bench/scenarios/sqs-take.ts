/* SQS over HTTP: ReceiveMessage alone, and DeleteMessageBatch alone, of 10, from a full queue. */

import type { Scenario } from '../harness/bench.ts';
import { SQS_BATCH, SQS_CONNECTIONS, sqsPlan } from './sqs.ts';
import { autocannonReading } from './standard.ts';

// Together below what a queue lets be in flight: nothing is deleted before all is received.
const WARMUP_REQUESTS = 1_500;
const REQUESTS = 7_500;
const QUICK_SHARE = 0.4;

export const scenario: Scenario = {
  name: 'sqs-take',
  summary: 'SQS JSON: ReceiveMessage and DeleteMessageBatch of 10, each by itself.',
  run: async (bench) => {
    const share = bench.quick ? QUICK_SHARE : 1;
    for (const timed of ['receive', 'delete'] as const) {
      const action = timed === 'receive' ? 'ReceiveMessage' : 'DeleteMessageBatch';
      await bench.measure(sqsPlan(`${action} of ${SQS_BATCH}`, 'autocannon'), () =>
        autocannonReading(bench, 'autocannon-take', {
          timed,
          batch: SQS_BATCH,
          connections: SQS_CONNECTIONS,
          warmupRequests: WARMUP_REQUESTS * share,
          requests: REQUESTS * share,
        }),
      );
    }
  },
};
