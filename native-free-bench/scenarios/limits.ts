/* What the machine itself allows, in the same run: the disk by size of commit. (The bare µWS hello
 * stands beside the single sends.) */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { seriesOver } from '../charts/from-rows.ts';
import type { Scenario } from '../harness/bench.ts';

const KIB = 1024;

export const scenario: Scenario = {
  name: 'limits',
  summary: 'Physical limits: write and fdatasync into preallocated space, by size of commit.',
  run: async (bench) => {
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
