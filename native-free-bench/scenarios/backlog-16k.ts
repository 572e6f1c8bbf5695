/* A million waiting messages of 16 KiB: far more than bodies are cached. */

import type { Scenario } from '../harness/bench.ts';
import { backlogCharts, measureBacklog } from './backlog.ts';

export const scenario: Scenario = {
  name: 'backlog-16k',
  summary: '1 M waiting messages of 16 KiB.',
  when: 'not quick',
  run: (bench) =>
    measureBacklog(bench, {
      name: '1 M waiting messages of 16 KiB',
      messages: 1_000_000,
      bodyBytes: 16_384,
      batch: 16,
      targets: {},
    }),
  charts: backlogCharts(
    'backlog-16k',
    'A backlog of 16 GB in bodies of 16 KiB: filled, then drained',
  ),
};
