/* Charts over the rows of several scenarios. */

import type { Chart, Series } from '../charts/chart.ts';
import type { Row } from '../harness/rows.ts';

const BY_BATCH: Readonly<Record<string, string>> = {
  'embedded-cycle': 'embedded, full cycle',
  'websocket-cycle': 'WebSocket, full cycle',
  enqueue: 'WebSocket, durable enqueue',
};

function byBatch(rows: readonly Row[]): Series[] {
  return Object.entries(BY_BATCH).flatMap(([scenario, name]) => {
    const points = rows
      .filter((row) => row.scenario === scenario && row.unit === 'msg/s')
      .map(({ parameters, figure }) => [Number(parameters['batch']), figure] as const)
      .toSorted(([a], [b]) => a - b);
    return points.length > 0 ? [{ name, points }] : [];
  });
}

export function overviewCharts(rows: readonly Row[]): readonly Chart[] {
  const series = byBatch(rows);
  if (series.length === 0) return [];
  return [
    {
      kind: 'lines',
      name: 'throughput',
      title: 'Throughput by batch size, one queue, every message on disk before its answer',
      x: { label: 'messages per call', scale: 'log' },
      y: { label: 'messages per second', scale: 'linear' },
      series,
    },
  ];
}
