/* What two threads can say to each other: a limit, as the disk is one. */

import type { Bench, Scenario } from '../harness/bench.ts';
import type { Reading } from '../harness/rows.ts';
import type { RingParameters } from '../loads/ring.ts';

const TRIP_BYTES = 300; // a message of 256 bytes as it crosses
const ASKING = { blocked: 'asking thread blocked', 'event loop': 'from an event loop' };
const BULK_BYTES = 30_000; // a hundred of them

async function ask(bench: Bench, way: RingParameters['way'], frameBytes: number) {
  const seconds = Math.min(2, bench.seconds);
  const report = await bench.load('ring', { way, frameBytes, warmupSeconds: 0.3, seconds });
  // One process: its CPU time is that of both threads.
  return { figure: report.perSecond, loadCpuUsPerMessage: report.loadCpuUsPerMessage };
}

async function bulk(bench: Bench): Promise<Reading> {
  const { figure } = await ask(bench, 'bulk', BULK_BYTES);
  return { figure: (figure * BULK_BYTES) / 1e6 };
}

export const scenario: Scenario = {
  name: 'ring',
  summary: 'Physical limits: round trips and bytes between two threads over the rings.',
  run: async (bench) => {
    for (const way of ['blocked', 'event loop'] as const) {
      await bench.measure(
        {
          name: `ring, a frame of ${TRIP_BYTES} bytes there and back, ${ASKING[way]}`,
          parameters: { way },
          durability: '-',
          unit: 'trips/s',
          better: 'more',
        },
        () => ask(bench, way, TRIP_BYTES),
      );
    }
    await bench.measure(
      {
        name: `ring, frames of ${BULK_BYTES} bytes one way`,
        parameters: { way: 'bulk' },
        durability: '-',
        unit: 'MB/s',
        better: 'more',
      },
      () => bulk(bench),
    );
  },
};
