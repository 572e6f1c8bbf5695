/* The broker inside the host program: one process is both the load and the server. */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, type Scenario, throughputOf } from '../harness/bench.ts';
import type { Reading } from '../harness/rows.ts';
import { cycleParameters, FSYNC } from './standard.ts';

const TARGET_PER_SECOND = 1_000_000; // at batches of 100

export async function embeddedCycle(bench: Bench, batch: number): Promise<Reading> {
  const data = mkdtempSync(join(bench.scratch, 'embedded-'));
  try {
    const parameters = cycleParameters(bench, data, { driver: 'websocket', batch });
    const report = await bench.load('cycle', { ...parameters, driver: 'embedded' });
    // One process: its CPU time is the server's and the host program's together.
    const { figure, loadCpuUsPerMessage } = throughputOf(report);
    return { figure, serverCpuUsPerMessage: loadCpuUsPerMessage };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

export const scenario: Scenario = {
  name: 'embedded-cycle',
  summary: 'Embedded: enqueue, receive and delete inside the host program, by batch size.',
  run: async (bench) => {
    for (const batch of [1, 10, 100]) {
      await bench.measure(
        {
          name: `embedded, batches of ${batch}, full cycle`,
          parameters: { api: 'embedded', batch },
          durability: FSYNC,
          unit: 'msg/s',
          better: 'more',
          target: batch === 100 ? TARGET_PER_SECOND : undefined,
        },
        () => embeddedCycle(bench, batch),
      );
    }
  },
};
