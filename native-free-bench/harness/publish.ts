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
const COSTS_BEGIN = '<!-- costs: begin -->\n';
const COSTS_END = '<!-- costs: end -->\n';

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
  const failed = report.failures.map(
    ({ scenario, name, message }) => `Failed in this run: ${scenario}, ${name}: ${headOf(message)}`,
  );
  return [
    `Measured with \`${report.command}\` on ${machineLine(report.machine)}.`,
    ...failed,
    ...tables.flatMap((table) => [`**${table.title}**`, markdownTable(table)]),
    images.join('\n'),
  ].join('\n\n');
}

function headOf(message: string): string {
  return message.split('\n')[0]!;
}

/** Those that were measured last; empty where there are none. */
function costsBlock(root: string, folder: string): string {
  const costs = readCosts(join(root, folder));
  if (costs === undefined) return '';
  return `${COSTS_BEGIN}\n${costsSection(costs, folder)}\n\n${COSTS_END}`;
}

/** Between the marks for the benchmarks. */
function replaceInside(root: string, replace: (inside: string) => string): void {
  const file = join(root, 'README.md');
  if (!existsSync(file)) throw new Error(`There is no README.md in ${root}.`);
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  if (from < BEGIN.length || to < from) {
    throw new Error(`${file} has no marks for the benchmarks.`);
  }
  writeFileSync(file, text.slice(0, from) + replace(text.slice(from, to)) + text.slice(to));
}

/** Puts the costs that were measured last into the README, and leaves its other figures. */
export function publishCosts(root: string, folder: string): void {
  replaceInside(root, (inside) => {
    const [from, to] = [inside.indexOf(COSTS_BEGIN), inside.indexOf(COSTS_END)];
    const rest = from < 0 ? `${inside.trimEnd()}\n\n` : inside.slice(0, from);
    const after = to < 0 ? '' : inside.slice(to + COSTS_END.length);
    return rest + costsBlock(root, folder) + after;
  });
}

/** What failed is named, and the rest is published. The costs are those that were measured last,
 *  perhaps in another run.
 *  @param folder of the results, from the README's own. */
export function publish(
  root: string,
  folder: string,
  report: Report,
  tables: readonly Table[],
  charts: readonly Chart[],
): void {
  const rows = `All rows are in [${folder}/results.md](${folder}/results.md).`;
  const inside = [section(report, tables, charts, `${folder}/plots`), `${rows}\n`, ''];
  const costs = costsBlock(root, folder);
  replaceInside(root, () => inside.join('\n\n').trimEnd() + (costs === '' ? '\n' : `\n\n${costs}`));
}
