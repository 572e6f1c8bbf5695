/* Everything a benchmark found, written where people and machines look for it. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Chart } from '../charts/chart.ts';
import { drawChart } from '../charts/draw.ts';
import { type Machine, machineLine } from './machine.ts';
import type { Failure, Row, Skipped } from './rows.ts';
import { markdownTable, type Table } from './table.ts';

export interface Report {
  readonly machine: Machine;
  readonly command: string;
  readonly rows: readonly Row[];
  readonly curves: Readonly<Record<string, readonly (readonly [number, number])[]>>;
  readonly skipped: readonly Skipped[];
  readonly failures: readonly Failure[];
}

function markdown(report: Report, tables: readonly Table[]): string {
  const { machine, command, skipped, failures } = report;
  const lines = [
    `Measured with \`${command}\` on ${machineLine(machine)}.`,
    ...tables.map((table) => `\n## ${table.title}\n\n${markdownTable(table)}`),
    ...skipped.map(({ name, reason }) => `\nSkipped: ${name}: ${reason}`),
    ...failures.map(({ name, message }) => `\nFailed: ${name}: ${message.split('\n')[0]}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** What a finished benchmark exits with: figures may be slow, counts may not be wrong. */
export function exitCodeOf({ failures }: Pick<Report, 'failures'>): number {
  return failures.length > 0 ? 1 : 0;
}

export function writeReport(
  directory: string,
  report: Report,
  tables: readonly Table[],
  charts: readonly Chart[],
): void {
  const plots = join(directory, 'plots');
  rmSync(plots, { recursive: true, force: true }); // Those of another run are not of this one.
  mkdirSync(plots, { recursive: true });
  writeFileSync(join(directory, 'results.json'), `${JSON.stringify(report, undefined, 1)}\n`);
  writeFileSync(join(directory, 'results.md'), markdown(report, tables));
  for (const chart of charts) writeFileSync(join(plots, `${chart.name}.svg`), drawChart(chart));
}
