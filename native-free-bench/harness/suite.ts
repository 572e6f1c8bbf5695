/* Runs scenarios one after the other, and gathers what they found. Whoever is told that one ended
 * has all that was found until then. */

import type { Chart } from '../charts/chart.ts';
import type { Profiled } from '../profile/v8-profile.ts';
import { Bench, type BenchOptions, type Scenario } from './bench.ts';
import type { Report } from './report.ts';
import type { Table } from './table.ts';

export type Found = Pick<Report, 'rows' | 'curves' | 'skipped' | 'failures'> & {
  readonly charts: readonly Chart[];
  /** Those that scenarios add to the table of all rows. */
  readonly tables: readonly Table[];
  readonly loads: readonly Profiled[];
};

/** What a scenario throws is a failure of it, and the next one runs. */
export async function runSuite(
  scenarios: readonly Scenario[],
  options: BenchOptions,
  onBegin: (scenario: Scenario) => void = () => undefined,
  onEnd: (scenario: Scenario, seconds: number, found: Found) => void = () => undefined,
): Promise<Found> {
  const done: Done[] = [];
  for (const scenario of scenarios) {
    const bench = new Bench(scenario.name, options);
    onBegin(scenario);
    const begunAt = performance.now();
    await bench.attempt(scenario.name, () => scenario.run(bench));
    done.push({ scenario, bench });
    onEnd(scenario, (performance.now() - begunAt) / 1000, foundBy(done));
  }
  return foundBy(done);
}

interface Done {
  readonly scenario: Scenario;
  readonly bench: Bench;
}

function foundBy(done: readonly Done[]): Found {
  const measured = done.filter(({ bench }) => bench.rows.length > 0);
  return {
    rows: done.flatMap(({ bench }) => bench.rows),
    curves: Object.fromEntries(done.flatMap(({ bench }) => [...bench.curves])),
    skipped: done.flatMap(({ bench }) => bench.skipped),
    failures: done.flatMap(({ bench }) => bench.failures),
    loads: done.flatMap(({ bench }) => bench.loads),
    charts: measured.flatMap(({ scenario, bench }) => [
      ...(scenario.charts?.(bench.rows, bench.curves) ?? []),
    ]),
    tables: measured.flatMap(({ scenario, bench }) => [...(scenario.tables?.(bench.rows) ?? [])]),
  };
}
