/* A million waiting messages. */

import type { Scenario } from '../harness/bench.ts';
import { backlogCharts, measureBacklog } from './backlog.ts';

export const scenario: Scenario = {
  name: 'backlog-1m',
  summary: '1 M waiting messages: memory, restarts, drain rate.',
  run: (bench) =>
    measureBacklog(bench, {
      name: '1 M waiting messages',
      messages: 1_000_000,
      bodyBytes: 256,
      batch: 100,
      targets: { memoryMib: 250, drainPerSecond: 300_000, restartSeconds: 0.5 },
    }),
  charts: backlogCharts('backlog-1m', 'A backlog of a million messages: filled, then drained'),
};
