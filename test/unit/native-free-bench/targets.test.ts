import { expect, test } from 'vitest';
import type { Row } from '../../../native-free-bench/harness/rows.ts';
import { targetsTable } from '../../../native-free-bench/scenarios/targets.ts';

function row(
  scenario: string,
  parameters: Row['parameters'],
  figure: number,
  durability = 'fsync',
): Row {
  const rest = { name: '', unit: 'x', repeats: 1, verdict: 'met', spread: [1, 1] } as const;
  return { scenario, parameters, figure, durability, ...rest };
}

test('a target has the best peer at the same figure beside it, or none', () => {
  const ours = [
    row('websocket-cycle', { batch: 100, figure: 'throughput' }, 9),
    row('single-sends', { api: 'ratio' }, 0.5),
    row('backlog-1m', { figure: 'resident memory' }, 200),
    row('backlog-1m', { figure: 'drain rate' }, 300),
  ];
  const peers = [
    row('peers', { peer: 'A', what: 'batch cycle' }, 5),
    row('peers', { peer: 'B', what: 'batch cycle' }, 7),
    row('peers', { peer: 'C', what: 'batch cycle' }, 8, 'none'),
    ...[10, 20].map((figure) =>
      row('peers-backlog', { peer: `M${figure}`, figure: 'resident memory' }, figure),
    ),
    ...[10, 20].map((figure) =>
      row('peers-backlog', { peer: `D${figure}`, figure: 'drain rate' }, figure),
    ),
  ];
  const { lines } = targetsTable([...ours, ...peers], false);
  expect(lines.map((line) => line.at(-1))).toEqual([
    'B, fsync: 7 x',
    '',
    'M10, fsync: 10 x',
    'D20, fsync: 20 x',
  ]);
});
