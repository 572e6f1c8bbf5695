/* Rows as text: a table for people, and the same as Markdown for pages. */

import type { Row } from './rows.ts';

const HEADINGS = [
  'scenario',
  'what',
  'durability',
  'figure',
  'server CPU/msg',
  'load CPU/msg',
  'target',
] as const;
const NUMERIC = new Set<number>([3, 4, 5, 6]);

/** Three digits that count, with the thousands apart. */
export function formatFigure(figure: number): string {
  const magnitude = Math.abs(figure);
  if (!Number.isFinite(figure)) return String(figure);
  if (magnitude >= 100_000) return (Math.round(figure / 1000) * 1000).toLocaleString('en-US');
  if (magnitude >= 100) return Math.round(figure).toLocaleString('en-US');
  return String(Number(figure.toPrecision(3)));
}

function microseconds(us: number | undefined): string {
  return us === undefined || !Number.isFinite(us) ? '' : `${formatFigure(us)} us`;
}

function targetText({ target, verdict, unit }: Row): string {
  if (target === undefined) return '';
  const sign = target.sense === 'at least' ? '>=' : '<=';
  return `${sign} ${formatFigure(target.value)} ${unit}: ${verdict}`;
}

function spreadText({ spread: [least, greatest], repeats }: Row): string {
  return repeats === 1 ? '' : ` (${formatFigure(least)}-${formatFigure(greatest)})`;
}

function cells(row: Row): string[] {
  const { scenario, name, durability, figure, unit, note } = row;
  return [
    scenario,
    note === undefined ? name : `${name} (${note})`,
    durability,
    `${formatFigure(figure)} ${unit}${spreadText(row)}`,
    microseconds(row.serverCpuUsPerMessage),
    microseconds(row.loadCpuUsPerMessage),
    targetText(row),
  ];
}

export function textTable(rows: readonly Row[]): string {
  const lines = [[...HEADINGS], ...rows.map(cells)];
  const widths = HEADINGS.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const padded = (line: readonly string[]): string =>
    line
      .map((cell, i) => (NUMERIC.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const [head, ...body] = lines.map(padded);
  return [head, widths.map((width) => '-'.repeat(width)).join('  '), ...body].join('\n');
}

export function markdownTable(rows: readonly Row[]): string {
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  const rule = HEADINGS.map((_, i) => (NUMERIC.has(i) ? '---:' : '---'));
  return [line(HEADINGS), line(rule), ...rows.map((row) => line(cells(row)))].join('\n');
}
