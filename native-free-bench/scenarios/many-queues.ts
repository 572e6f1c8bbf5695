/* The same work over one queue, a hundred, ten thousand. */

import { type Scenario, throughputOf } from '../harness/bench.ts';
import { driverOptions, FSYNC } from './standard.ts';

const BATCH = 10;
const LANES = 64;

export const scenario: Scenario = {
  name: 'many-queues',
  summary: 'Full cycle over 1, 100 and 10,000 queues, each lane going round its own.',
  run: async (bench) => {
    for (const queues of bench.values([1, 100, 10_000], [1, 100, 2_000])) {
      await bench.measure(
        {
          name: `${queues} queues, WebSocket, batches of ${BATCH}, lockstep`,
          parameters: { queues },
          durability: FSYNC,
          unit: 'msg/s',
          better: 'more',
        },
        () =>
          bench.withServer({}, async (server) => {
            const parameters = {
              driver: 'websocket' as const,
              options: driverOptions(server.socketUrl, { batch: BATCH, connections: 4 }),
              lanes: LANES,
              queues,
              warmupSeconds: bench.warmupSeconds,
              seconds: bench.seconds,
            };
            const options = { serverPid: server.pid };
            return throughputOf(await bench.load('lockstep', parameters, options));
          }),
      );
    }
  },
};
