/* How soon a consumer that waits on an empty queue has a message: an idle server, one message now
 * and then. */

import type { Scenario } from '../harness/bench.ts';
import { driverOptions, FSYNC, type RemoteDriver, urlFor } from './standard.ts';

const MESSAGES_PER_SECOND = 25; // so few that the consumer always waits

const DRIVERS: readonly RemoteDriver[] = ['websocket', 'sqs-json', 'rest'];

export const scenario: Scenario = {
  name: 'wake-up',
  summary: 'Long-poll wake-up latency: one message now and then for a waiting consumer.',
  run: async (bench) => {
    for (const driver of bench.values(DRIVERS, DRIVERS.slice(0, 2))) {
      const plan = (figure: string) => ({
        name: `${driver}, waiting consumer, ${figure}`,
        parameters: { driver, figure },
        durability: FSYNC,
        unit: 'ms',
        better: 'less' as const,
      });
      await bench.measureAll({ p50: plan('p50'), p99: plan('p99') }, () =>
        bench.withServer({}, async (server) => {
          const parameters = {
            driver,
            options: driverOptions(urlFor(driver, server), { waitMs: 20_000 }),
            messagesPerSecond: MESSAGES_PER_SECOND,
            senders: 8,
            receivers: 1,
            receiveMax: 1,
            warmupSeconds: bench.warmupSeconds,
            seconds: Math.max(3, bench.seconds),
          };
          const report = await bench.load('latency', parameters, { serverPid: server.pid });
          const { p50, p99 } = report.latencies['dequeue']!.percentiles();
          return { p50: { figure: p50 }, p99: { figure: p99 } };
        }),
      );
    }
  },
};
