/* SQS over HTTP: SendMessageBatch, ReceiveMessage and DeleteMessageBatch of 10. */

import { type Scenario, throughputOf } from '../harness/bench.ts';
import { driverOptions, FSYNC, remoteCycleReading } from './standard.ts';

const TARGET_PER_SECOND = 100_000;
const BATCH = 10;
const CONNECTIONS = 64;
const REQUESTS_PER_SECOND_ROUGHLY = 12_000;

export const scenario: Scenario = {
  name: 'sqs-cycle',
  summary: 'SQS JSON: the full cycle in batches of 10.',
  run: async (bench) => {
    const plan = (client: string) => ({
      name: `SQS full cycle in batches of ${BATCH}, ${CONNECTIONS} connections, ${client}`,
      parameters: { client },
      durability: FSYNC,
      unit: 'msg/s',
      better: 'more' as const,
      target: TARGET_PER_SECOND,
    });
    await bench.measure(plan('autocannon'), () =>
      bench.withServer({}, async (server) => {
        const parameters = {
          options: driverOptions(server.httpUrl, { batch: BATCH }),
          connections: CONNECTIONS,
          warmupRequests: Math.round(REQUESTS_PER_SECOND_ROUGHLY * bench.warmupSeconds),
          requests: Math.round(REQUESTS_PER_SECOND_ROUGHLY * bench.seconds),
        };
        const options = { serverPid: server.pid };
        return throughputOf(await bench.load('autocannon-cycle', parameters, options));
      }),
    );
    await bench.measure(plan('bare connections'), () =>
      remoteCycleReading(bench, {}, { driver: 'sqs-json', batch: BATCH, lanes: CONNECTIONS / 2 }),
    );
  },
};
