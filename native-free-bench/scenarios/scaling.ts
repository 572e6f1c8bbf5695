/* The same full cycle over more and more partitions, and over more doors. */

import { seriesOver } from '../charts/from-rows.ts';
import type { Scenario } from '../harness/bench.ts';
import { FSYNC, remoteCycleReading } from './standard.ts';

const BATCH = 100;

export const scenario: Scenario = {
  name: 'scaling',
  summary: 'WebSocket full cycle over 1, 2, 4 and 8 partitions, with 1 and 2 doors.',
  run: async (bench) => {
    for (const doors of [1, 2]) {
      for (const partitions of bench.values([1, 2, 4, 8], doors === 1 ? [1, 2, 4] : [2])) {
        await bench.measure(
          {
            name: `WebSocket, batches of ${BATCH}, ${partitions} partitions, ${doors} doors`,
            parameters: { partitions, doors },
            durability: FSYNC,
            unit: 'msg/s',
            better: 'more',
          },
          () =>
            remoteCycleReading(
              bench,
              { partitions, doors },
              { driver: 'websocket', batch: BATCH, connections: 4 },
            ),
        );
      }
    }
  },
  charts: (rows) => [
    {
      kind: 'lines',
      name: 'scaling',
      title: 'WebSocket full cycles by partitions and doors',
      x: { label: 'partitions', scale: 'log' },
      y: { label: 'messages per second', scale: 'linear' },
      series: seriesOver(rows, 'partitions', 'doors', (doors) =>
        doors === 1 ? 'one door' : `${doors} doors`,
      ),
    },
  ],
};
