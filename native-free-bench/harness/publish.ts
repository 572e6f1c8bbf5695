/* Puts the figures of a run into the README, between its marks: what stands there is always as a
 * run wrote it. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Chart } from '../charts/chart.ts';
import { costsSection, readCosts } from '../profile/costs-page.ts';
import { machineLine } from './machine.ts';
import type { Report } from './report.ts';
import { markdownTable, type Table } from './table.ts';

const BEGIN = '<!-- benchmarks: begin -->\n';
const END = '<!-- benchmarks: end -->';

/** Of the charts, those that say most, in this order. */
const CHARTS_SHOWN = ['throughput', 'latency', 'backlog-1m', 'scaling', 'peers'];

function section(
  report: Report,
  tables: readonly Table[],
  charts: readonly Chart[],
  plots: string,
) {
  const images = CHARTS_SHOWN.flatMap((name) => charts.filter((chart) => chart.name === name)).map(
    ({ name, title }) => `![${title}](${plots}/${name}.svg)`,
  );
  return [
    `Measured with \`${report.command}\` on ${machineLine(report.machine)}.`,
    ...tables.flatMap((table) => [`**${table.title}**`, markdownTable(table)]),
    images.join('\n'),
  ].join('\n\n');
}

/** The costs are those that were measured last, perhaps in another run.
 *  @param folder of the results, from the README's own. */
export function publish(
  root: string,
  folder: string,
  report: Report,
  tables: readonly Table[],
  charts: readonly Chart[],
): void {
  const file = join(root, 'README.md');
  if (!existsSync(file)) throw new Error(`There is no README.md in ${root}.`);
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${file} has no marks for the benchmarks.`);
  const rows = `All rows are in [${folder}/results.md](${folder}/results.md).`;
  const costs = readCosts(join(root, folder));
  const inside = [
    section(report, tables, charts, `${folder}/plots`),
    ...(costs === undefined ? [] : [costsSection(costs, folder)]),
    `${rows}\n`,
  ].join('\n\n');
  writeFileSync(file, text.slice(0, from + BEGIN.length) + inside + text.slice(to));
}
