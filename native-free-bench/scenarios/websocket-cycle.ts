/* The native protocol: enqueue, receive and delete, by batch size. */

import type { Bench, Scenario } from '../harness/bench.ts';
import type { Reading } from '../harness/rows.ts';
import { FSYNC, remoteCycleReading } from './standard.ts';

const TARGET_PER_SECOND = 500_000; // at batches of 100
const TARGET_CPU_US = 3;

export function websocketCycle(bench: Bench, batch: number): Promise<Reading> {
  return remoteCycleReading(bench, {}, { driver: 'websocket', batch, connections: 4 });
}

export const scenario: Scenario = {
  name: 'websocket-cycle',
  summary: 'WebSocket: enqueue, receive and delete over the native protocol, by batch size.',
  run: async (bench) => {
    for (const batch of [1, 10, 100]) {
      const parameters = { api: 'websocket', batch };
      const name = `WebSocket, batches of ${batch}, full cycle`;
      await bench.measureAll(
        {
          throughput: {
            name,
            parameters: { ...parameters, figure: 'throughput' },
            durability: FSYNC,
            unit: 'msg/s',
            better: 'more',
            target: batch === 100 ? TARGET_PER_SECOND : undefined,
          },
          cpu: {
            name: `${name}: server CPU`,
            parameters: { ...parameters, figure: 'cpu' },
            durability: FSYNC,
            unit: 'us/msg',
            better: 'less',
            target: batch === 100 ? TARGET_CPU_US : undefined,
          },
        },
        async () => {
          const throughput = await websocketCycle(bench, batch);
          const cpu = { figure: throughput.serverCpuUsPerMessage ?? Number.NaN };
          return { throughput, cpu };
        },
      );
    }
  },
};
