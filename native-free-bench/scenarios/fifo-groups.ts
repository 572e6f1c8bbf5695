/* FIFO: as a group in flight blocks its followers, what counts is how many groups there are. */

import { seriesOver } from '../charts/from-rows.ts';
import type { Scenario } from '../harness/bench.ts';
import { FSYNC, remoteCycleReading } from './standard.ts';

const BATCH = 10;

export const scenario: Scenario = {
  name: 'fifo-groups',
  summary: 'FIFO full cycle with 1, 100 and 10,000 message groups.',
  run: async (bench) => {
    for (const groups of [1, 100, 10_000]) {
      await bench.measure(
        {
          name: `FIFO, ${groups} groups, WebSocket, batches of ${BATCH}, full cycle`,
          parameters: { groups, queue: 'FIFO' },
          durability: FSYNC,
          unit: 'msg/s',
          better: 'more',
        },
        () =>
          remoteCycleReading(
            bench,
            {},
            { driver: 'websocket', batch: BATCH, groups, connections: 4 },
          ),
      );
    }
  },
  charts: (rows) => [
    {
      kind: 'lines',
      name: 'fifo-groups',
      title: 'FIFO: full cycles by number of message groups',
      x: { label: 'message groups', scale: 'log' },
      y: { label: 'messages per second', scale: 'linear' },
      series: seriesOver(rows, 'groups', 'queue'),
    },
  ],
};
