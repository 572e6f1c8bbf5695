/* Rows as text: a table for people, and the same as Markdown for pages. */

import type { Row } from './rows.ts';

export interface Table {
  readonly title: string;
  readonly headings: readonly string[];
  /** Columns that are aligned to the right. */
  readonly numeric: readonly number[];
  readonly lines: readonly (readonly string[])[];
}

const HEADINGS = [
  'scenario',
  'what',
  'durability',
  'figure',
  'server CPU/msg',
  'load CPU/msg',
  'target',
] as const;

/** Three digits that count, with the thousands apart. */
export function formatFigure(figure: number): string {
  const magnitude = Math.abs(figure);
  if (!Number.isFinite(figure)) return String(figure);
  if (magnitude >= 100_000) return (Math.round(figure / 1000) * 1000).toLocaleString('en-US');
  if (magnitude >= 100) return Math.round(figure).toLocaleString('en-US');
  return String(Number(figure.toPrecision(3)));
}

export function microseconds(us: number | undefined): string {
  return us === undefined || !Number.isFinite(us) ? '' : `${formatFigure(us)} us`;
}

/** As `>= 50,000 msg/s`. */
export function targetText({ target, unit }: Row): string {
  if (target === undefined) return '';
  const sign = target.sense === 'at least' ? '>=' : '<=';
  return `${sign} ${formatFigure(target.value)} ${unit}`;
}

function spreadText({ spread: [least, greatest], repeats }: Row): string {
  return repeats === 1 ? '' : ` (${formatFigure(least)}-${formatFigure(greatest)})`;
}

export function figureText(row: Row): string {
  return `${formatFigure(row.figure)} ${row.unit}${spreadText(row)}`;
}

function cells(row: Row): string[] {
  const { scenario, name, durability, note, verdict } = row;
  return [
    scenario,
    note === undefined ? name : `${name} (${note})`,
    durability,
    figureText(row),
    microseconds(row.serverCpuUsPerMessage),
    microseconds(row.loadCpuUsPerMessage),
    verdict === 'none' ? '' : `${targetText(row)}: ${verdict}`,
  ];
}

/** Everything that was measured, in the order in which it was. */
export function tableOfRows(rows: readonly Row[]): Table {
  return { title: 'All rows', headings: HEADINGS, numeric: [3, 4, 5, 6], lines: rows.map(cells) };
}

export function textTable({ title, headings, numeric, lines }: Table): string {
  const all = [headings, ...lines];
  const widths = headings.map((_, i) => Math.max(...all.map((line) => line[i]!.length)));
  const padded = (line: readonly string[]): string =>
    line
      .map((cell, i) => (numeric.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const [head, ...body] = all.map(padded);
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [title, '', head, rule, ...body].join('\n');
}

export function markdownTable({ headings, numeric, lines }: Table): string {
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  const rule = headings.map((_, i) => (numeric.includes(i) ? '---:' : '---'));
  return [line(headings), line(rule), ...lines.map(line)].join('\n');
}
