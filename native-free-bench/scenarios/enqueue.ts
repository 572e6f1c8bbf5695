/* How fast messages become durable when nobody receives them, by batch size. */

import type { Scenario } from '../harness/bench.ts';
import { FSYNC, remoteEnqueueReading } from './standard.ts';

const TARGET_PER_SECOND = 600_000; // best batching
const BEST_BATCH = 500;

export const scenario: Scenario = {
  name: 'enqueue',
  summary: 'WebSocket: durable enqueue without consumers, by batch size.',
  run: async (bench) => {
    for (const batch of bench.values([1, 10, 100, BEST_BATCH, 1000], [100, BEST_BATCH])) {
      await bench.measure(
        {
          name: `WebSocket, durable enqueue, batches of ${batch}`,
          parameters: { api: 'websocket', batch },
          durability: FSYNC,
          unit: 'msg/s',
          better: 'more',
          target: batch === BEST_BATCH ? TARGET_PER_SECOND : undefined,
        },
        () => remoteEnqueueReading(bench, { driver: 'websocket', batch, connections: 4 }),
      );
    }
  },
};
