/* The same work over one queue, a hundred, ten thousand. */

import type { Scenario } from '../harness/bench.ts';
import { FSYNC, lockstepReading } from './standard.ts';

const BATCH = 10;
const LANES = 64;
/** A connection serves a limited number of queues, to send to and to receive from. */
const QUEUES_PER_CONNECTION = 1_000;

export const scenario: Scenario = {
  name: 'many-queues',
  summary: 'Full cycle over 1, 100 and 10,000 queues, each lane going round its own.',
  run: async (bench) => {
    for (const queues of bench.values([1, 100, 10_000], [1, 2_000])) {
      await bench.measure(
        {
          name: `${queues} queues, WebSocket, batches of ${BATCH}, lockstep`,
          parameters: { queues },
          durability: FSYNC,
          unit: 'msg/s',
          better: 'more',
        },
        () => {
          const connections = Math.max(4, Math.ceil(queues / QUEUES_PER_CONNECTION));
          return lockstepReading(bench, { lanes: LANES, queues, batch: BATCH, connections });
        },
      );
    }
  },
};
