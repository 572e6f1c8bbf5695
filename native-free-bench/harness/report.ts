/* Everything a benchmark found, written where people and machines look for it. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Chart } from '../charts/chart.ts';
import { drawChart } from '../charts/draw.ts';
import { type Machine, machineLine } from './machine.ts';
import type { Failure, Row, Skipped } from './rows.ts';
import { markdownTable } from './table.ts';

export interface Report {
  readonly machine: Machine;
  readonly command: string;
  readonly rows: readonly Row[];
  readonly curves: Readonly<Record<string, readonly (readonly [number, number])[]>>;
  readonly skipped: readonly Skipped[];
  readonly failures: readonly Failure[];
}

function markdown({ machine, command, rows, skipped, failures }: Report): string {
  const lines = [
    `Measured with \`${command}\` on ${machineLine(machine)}.`,
    '',
    markdownTable(rows),
    ...skipped.map(({ name, reason }) => `\nSkipped: ${name}: ${reason}`),
    ...failures.map(({ name, message }) => `\nFailed: ${name}: ${message.split('\n')[0]}`),
  ];
  return `${lines.join('\n')}\n`;
}

export function writeReport(directory: string, report: Report, charts: readonly Chart[]): void {
  const plots = join(directory, 'plots');
  mkdirSync(plots, { recursive: true });
  writeFileSync(join(directory, 'results.json'), `${JSON.stringify(report, undefined, 1)}\n`);
  writeFileSync(join(directory, 'results.md'), markdown(report));
  for (const chart of charts) writeFileSync(join(plots, `${chart.name}.svg`), drawChart(chart));
}
