/* Ten million waiting messages. */

import type { Scenario } from '../harness/bench.ts';
import { backlogCharts, measureBacklog } from './backlog.ts';

export const scenario: Scenario = {
  name: 'backlog-10m',
  summary: '10 M waiting messages: memory, restarts, drain rate.',
  when: 'not quick',
  run: (bench) =>
    measureBacklog(bench, {
      name: '10 M waiting messages',
      messages: 10_000_000,
      bodyBytes: 256,
      batch: 100,
      targets: { memoryMib: 1024, drainRatio: 0.8, restartSeconds: 3 },
    }),
  charts: backlogCharts('backlog-10m', 'A backlog of ten million messages: filled, then drained'),
};
