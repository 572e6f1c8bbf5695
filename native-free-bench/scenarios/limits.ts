/* What the machine itself allows, in the same run: the disk by size of commit, and how late a
 * thread is that has a core to itself. (The bare µWS hello stands beside the single sends.) */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { seriesOver } from '../charts/from-rows.ts';
import type { Bench, Scenario } from '../harness/bench.ts';

const KIB = 1024;
/** As often as messages come where their latency has a target. */
const MOMENTS_PER_SECOND = 2_000;

async function stalls(bench: Bench): Promise<void> {
  await bench.measure(
    {
      name: 'the machine: p99 of how late a thread with a core to itself sees a moment',
      parameters: { rate: MOMENTS_PER_SECOND, figure: 'stalls' },
      durability: '-',
      unit: 'ms',
      better: 'less',
    },
    async () => {
      const { seconds } = bench;
      const report = await bench.load('stalls', { momentsPerSecond: MOMENTS_PER_SECOND, seconds });
      const lateness = report.latencies['lateness']!;
      const { p50, p999, max } = lateness.percentiles();
      const ms = (value: number) => value.toFixed(2);
      return {
        figure: lateness.quantileMs(0.99),
        note: `p50 ${ms(p50)}, p99.9 ${ms(p999)}, max ${ms(max)}; no server, no disk`,
      };
    },
  );
}

export const scenario: Scenario = {
  name: 'limits',
  summary: 'Physical limits: write and fdatasync by size of commit; how late a free thread is.',
  run: async (bench) => {
    await stalls(bench);
    mkdirSync(bench.scratch, { recursive: true });
    for (const kib of bench.values([4, 16, 64, 256, 1024], [4, 64, 1024])) {
      const parameters = { kib, file: 'preallocated, zeroed' };
      const plan = { durability: 'fdatasync', parameters } as const;
      await bench.measureAll(
        {
          bandwidth: {
            ...plan,
            name: `disk, commits of ${kib} KiB: bandwidth`,
            parameters: { ...parameters, figure: 'bandwidth' },
            unit: 'MB/s',
            better: 'more',
          },
          p50: {
            ...plan,
            name: `disk, commits of ${kib} KiB: median commit`,
            parameters: { ...parameters, figure: 'p50' },
            unit: 'ms',
            better: 'less',
          },
        },
        async () => {
          const file = join(bench.scratch, 'disk-limit');
          const seconds = Math.min(2, bench.seconds);
          const report = await bench.load('disk', { file, commitBytes: kib * KIB, seconds });
          return {
            bandwidth: { figure: (report.perSecond * kib * KIB) / 1e6 },
            p50: { figure: report.latencies['commit']!.quantileMs(0.5) },
          };
        },
      );
    }
  },
  charts: (rows) => [
    {
      kind: 'lines',
      name: 'disk-limit',
      title: 'The disk: write + fdatasync into preallocated space',
      x: { label: 'KiB per commit', scale: 'log' },
      y: { label: 'MB per second', scale: 'linear' },
      series: seriesOver(
        rows.filter(({ parameters }) => parameters['figure'] === 'bandwidth'),
        'kib',
        'file',
      ),
    },
  ],
};
