/* SQS over HTTP: SendMessageBatch of 10 over 64 connections, driven by autocannon, and by bare
 * connections that cost the shared cores less. */

import { type Scenario, throughputOf } from '../harness/bench.ts';
import { cycleParameters, driverOptions, FSYNC } from './standard.ts';

const TARGET_PER_SECOND = 200_000;
const BATCH = 10;
const CONNECTIONS = 64;
const REQUESTS_PER_SECOND_ROUGHLY = 12_000;

export const scenario: Scenario = {
  name: 'sqs-send-batch',
  summary: 'SQS JSON: SendMessageBatch of 10 over 64 connections.',
  run: async (bench) => {
    const plan = (client: string) => ({
      name: `SQS SendMessageBatch of ${BATCH}, ${CONNECTIONS} connections, ${client}`,
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
        return throughputOf(await bench.load('autocannon-post', parameters, options));
      }),
    );
    await bench.measure(plan('bare connections'), () =>
      bench.withServer({}, async (server) => {
        const settings = { driver: 'sqs-json', batch: BATCH, lanes: CONNECTIONS } as const;
        const parameters = cycleParameters(bench, server.httpUrl, settings);
        return throughputOf(await bench.load('enqueue', parameters, { serverPid: server.pid }));
      }),
    );
  },
};
