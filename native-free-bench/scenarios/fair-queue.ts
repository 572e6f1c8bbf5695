/* What a MessageGroupId is for on a standard queue: quiet tenants beside a noisy one, whose backlog
 * is worth a second or two of what the consumers can take. */

import { BODY_BYTES, QUEUE, type Scenario } from '../harness/bench.ts';
import { FSYNC } from './standard.ts';

const BACKLOG = 4000;
const CONSUMERS = 4;
const BATCH = 10;
const HANDLING_MS = 10; // four consumers take at most 4,000 messages a second

export const scenario: Scenario = {
  name: 'fair-queue',
  summary: 'Dwell time of quiet tenants beside a noisy one, with and without MessageGroupId.',
  run: async (bench) => {
    for (const grouped of [true, false]) {
      const plan = (figure: string) => ({
        name: `quiet tenants ${grouped ? 'with' : 'without'} MessageGroupId: ${figure} dwell`,
        parameters: { grouped: grouped ? 'yes' : 'no', figure },
        durability: FSYNC,
        unit: 'ms',
        better: 'less' as const,
      });
      await bench.measureAll({ p50: plan('p50'), p99: plan('p99') }, () =>
        bench.withServer({}, async (server) => {
          const parameters = {
            url: server.socketUrl,
            queue: QUEUE,
            bodyBytes: BODY_BYTES,
            grouped,
            backlog: BACKLOG,
            quietTenants: 20,
            quietPerSecond: 200,
            consumers: CONSUMERS,
            batch: BATCH,
            handlingMs: HANDLING_MS,
            seconds: Math.max(2, bench.seconds),
          };
          const report = await bench.load('tenants', parameters, { serverPid: server.pid });
          const quiet = report.latencies['quiet']!;
          const { p50, p99 } = quiet.percentiles();
          const note = `${quiet.count} messages beside ${BACKLOG} of the noisy tenant`;
          return { p50: { figure: p50, note }, p99: { figure: p99 } };
        }),
      );
    }
  },
};
