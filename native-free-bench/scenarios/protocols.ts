/* The same full cycle through every door, in the largest batches that all of them have. */

import type { Chart } from '../charts/chart.ts';
import type { Scenario } from '../harness/bench.ts';
import { FSYNC, remoteCycleReading } from './standard.ts';

const DOORS = [
  { driver: 'websocket', batch: 10 },
  { driver: 'sqs-json', batch: 10 },
  { driver: 'sqs-query', batch: 10 },
  { driver: 'rest', batch: 1 }, // it deletes one by one
] as const;

export const scenario: Scenario = {
  name: 'protocols',
  summary: 'Full cycle over WebSocket, SQS JSON, SQS Query and REST.',
  run: async (bench) => {
    for (const { driver, batch } of DOORS) {
      await bench.measure(
        {
          name: `${driver}, batches of ${batch}, full cycle`,
          parameters: { driver, batch },
          durability: FSYNC,
          unit: 'msg/s',
          better: 'more',
        },
        () => remoteCycleReading(bench, {}, { driver, batch, lanes: 32, connections: 4 }),
      );
    }
  },
  charts: (rows): Chart[] => [
    {
      kind: 'bars',
      name: 'protocols',
      title: 'Full cycles through each door',
      unit: 'msg/s',
      bars: rows.map(({ parameters, figure }) => ({
        label: `${parameters['driver']}, batches of ${parameters['batch']}`,
        value: figure,
        highlight: true,
      })),
    },
  ],
};
