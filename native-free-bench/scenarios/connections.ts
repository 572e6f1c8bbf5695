/* The same work from one client, and from thousands, each with a connection of its own. */

import { seriesOver } from '../charts/from-rows.ts';
import type { Scenario } from '../harness/bench.ts';
import { FSYNC, lockstepReading } from './standard.ts';

export const scenario: Scenario = {
  name: 'connections',
  summary: 'Single messages from 1 to 10,000 WebSocket clients, each in lockstep.',
  run: async (bench) => {
    const counts = bench.values([1, 10, 100, 1000, 10_000], [1, 1000]);
    for (const connections of counts) {
      await bench.measure(
        {
          name: `${connections} WebSocket clients, single messages, lockstep`,
          parameters: { connections, api: 'websocket' },
          durability: FSYNC,
          unit: 'msg/s',
          better: 'more',
        },
        () => lockstepReading(bench, { lanes: connections, queues: 1, connections }),
      );
    }
  },
  charts: (rows) => [
    {
      kind: 'lines',
      name: 'connections',
      title: 'Full cycles of single messages by number of clients',
      x: { label: 'connections', scale: 'log' },
      y: { label: 'messages per second', scale: 'linear' },
      series: seriesOver(rows, 'connections', 'api'),
    },
  ],
};
