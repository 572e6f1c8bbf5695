/* An hour of traffic that leaves a poisoned message in every log segment: what the log takes on
 * disk against what lives in it. The hour is one of 500 messages of 1 KiB a second, as fast as it
 * goes; the segments are those of any server. */

import type { Chart } from '../charts/chart.ts';
import type { Bench, Curves, Scenario } from '../harness/bench.ts';
import { type DiskPoint, followDisk } from '../harness/disk-usage.ts';
import type { LoadReport } from '../harness/load.ts';
import { driverOptions, FSYNC } from './standard.ts';

const HOUR_MESSAGES = 500 * 3600;
const QUICK_MESSAGES = HOUR_MESSAGES / 4;
const BODY_BYTES = 1024;
const MESSAGES_PER_POISON = 8192; // several in each segment of 64 MiB
const PARTITIONS = 2;
const SEGMENT_BYTES = 64 * 1024 * 1024;
const SEGMENTS_ALLOWED = 4; // a partition, beside twice what lives
const LANES = 16;
const BATCH = 100;
const MIB = 1024 * 1024;

interface Outcome {
  readonly report: LoadReport;
  readonly points: readonly DiskPoint[];
}

async function run(bench: Bench): Promise<Outcome> {
  return bench.withServer({ partitions: PARTITIONS }, async (server) => {
    const loading = bench.load(
      'straggler',
      {
        driver: 'websocket',
        options: driverOptions(server.socketUrl, {
          bodyBytes: BODY_BYTES,
          batch: BATCH,
          connections: 4,
        }),
        poisonQueue: 'poison',
        messages: bench.quick ? QUICK_MESSAGES : HOUR_MESSAGES,
        messagesPerPoison: MESSAGES_PER_POISON,
        lanes: LANES,
      },
      { serverPid: server.pid },
    );
    const points = await followDisk(server, BODY_BYTES, loading);
    return { report: await loading, points };
  });
}

function allowedBytes({ liveBytes }: DiskPoint): number {
  return 2 * liveBytes + SEGMENTS_ALLOWED * PARTITIONS * SEGMENT_BYTES;
}

function charts(_: unknown, curves: Curves): readonly Chart[] {
  return [
    {
      kind: 'lines',
      name: 'straggler',
      title: 'A poisoned message in every segment: the disk',
      x: { label: 'seconds', scale: 'linear' },
      y: { label: 'MiB', scale: 'linear' },
      series: [...curves].map(([name, points]) => ({ name, points })),
    },
  ];
}

export const scenario: Scenario = {
  name: 'straggler',
  summary: 'A message that is never deleted in every log segment: disk against what lives.',
  run: async (bench) => {
    const plan = (name: string, unit: string, target?: number) => ({
      name: `one straggler a segment: ${name}`,
      parameters: { figure: name },
      durability: FSYNC,
      unit,
      better: 'less' as const,
      target,
    });
    await bench.measureAll(
      {
        share: plan('disk against 2 x live + 4 segments a partition', 'of it', 1),
        most: plan('most that the disk held', 'MiB'),
        live: plan('what lived in the end', 'MiB'),
        traffic: { ...plan('traffic', 'msg/s'), better: 'more' },
      },
      async () => {
        const { report, points } = await run(bench);
        const curve = (of: (point: DiskPoint) => number) =>
          points.map((point) => [point.seconds, of(point) / MIB] as const);
        bench.curve(
          'disk',
          curve(({ diskBytes }) => diskBytes),
        );
        bench.curve(
          'live',
          curve(({ liveBytes }) => liveBytes),
        );
        bench.curve('allowed', curve(allowedBytes));
        const shares = points.map((point) => point.diskBytes / allowedBytes(point));
        const { perSecond, messages, figures } = report;
        const note = `${figures['poisoned']} stragglers among ${messages} messages`;
        return {
          share: { figure: Math.max(...shares), note },
          most: { figure: Math.max(...points.map(({ diskBytes }) => diskBytes)) / MIB },
          live: { figure: points.at(-1)!.liveBytes / MIB },
          traffic: { figure: perSecond },
        };
      },
      1,
    );
  },
  charts,
};
