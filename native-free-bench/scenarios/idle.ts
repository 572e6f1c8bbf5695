/* What a server costs that has nothing to do. */

import type { Scenario } from '../harness/bench.ts';
import { residentBytes } from '../harness/process-usage.ts';
import { driverOptions, FSYNC } from './standard.ts';

const MIB = 1024 * 1024;

export const scenario: Scenario = {
  name: 'idle',
  summary: 'CPU and memory of an idle server, alone and with consumers that wait.',
  run: async (bench) => {
    for (const waiting of bench.values([0, 1000], [0, 1000])) {
      const plan = { durability: FSYNC, better: 'less', parameters: { waiting } } as const;
      await bench.measureAll(
        {
          cpu: { ...plan, name: `idle, ${waiting} waiting consumers: CPU`, unit: '% of a core' },
          memory: { ...plan, name: `idle, ${waiting} waiting consumers: memory`, unit: 'MiB' },
        },
        () =>
          bench.withServer({}, async (server) => {
            const options = driverOptions(server.socketUrl, { connections: 100, waitMs: 20_000 });
            const report = await bench.load(
              'idle',
              { driver: 'websocket', options, waiting, seconds: Math.max(3, bench.seconds) },
              { serverPid: server.pid },
            );
            return {
              cpu: { figure: (report.serverCores ?? Number.NaN) * 100 },
              memory: { figure: (residentBytes(server.pid) ?? Number.NaN) / MIB },
            };
          }),
        1,
      );
    }
  },
};
