/* Draws icicles: each a row of parts, and below each part the parts that it is made of. A label
 * that has no room in its part is cut, or left out; the tip of the part has it all. */

import type { IcicleChart, IciclePart } from './chart.ts';
import { escapeText, label, page, round, WIDTH } from './svg.ts';

const MARGIN = 16;
const LEGEND_Y = 40;
const TOP = 66;
const ROW_HEIGHT = 18;
const GAP = 14; // between two icicles
const HEAD = 16; // the name of an icicle
const CHARACTER_WIDTH = 5.9; // on average, of the text inside
const CHARACTERS_MIN = 4; // fewer say nothing

function fitting(text: string, width: number): string {
  const characters = Math.floor((width - 6) / CHARACTER_WIDTH);
  if (text.length <= characters) return text;
  return characters < CHARACTERS_MIN ? '' : `${text.slice(0, characters - 1)}…`;
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly perUnit: number;
}

function drawPart(part: IciclePart, place: Place, told: (value: number) => string): string[] {
  const { x, y, perUnit } = place;
  const width = part.value * perUnit;
  const text = `${part.label} ${told(part.value)}`;
  const inside = fitting(text, width);
  return [
    `<rect x="${round(x)}" y="${y}" width="${round(width)}" height="${ROW_HEIGHT - 1}" ` +
      `fill="${part.colour}" stroke="#ffffff" stroke-width="0.5">` +
      `<title>${escapeText(text)}</title></rect>`,
    ...(inside === '' ? [] : [label(x + 3, y + 13, inside, { className: 'inside' })]),
    ...drawRow(part.parts ?? [], { x, y: y + ROW_HEIGHT, perUnit }, told),
  ];
}

function drawRow(
  parts: readonly IciclePart[],
  { x, y, perUnit }: Place,
  told: (value: number) => string,
): string[] {
  let at = x;
  return parts.flatMap((part) => {
    const drawn = drawPart(part, { x: at, y, perUnit }, told);
    at += part.value * perUnit;
    return drawn;
  });
}

function rowsOf(parts: readonly IciclePart[]): number {
  return parts.length === 0 ? 0 : 1 + Math.max(...parts.map((part) => rowsOf(part.parts ?? [])));
}

function drawLegend(legend: IcicleChart['legend']): string[] {
  let x = MARGIN;
  return legend.flatMap(({ label: name, colour }) => {
    const drawn = [
      `<rect x="${x}" y="${LEGEND_Y}" width="12" height="12" rx="2" fill="${colour}"/>`,
      label(x + 18, LEGEND_Y + 10, name),
    ];
    x += 40 + name.length * 7;
    return drawn;
  });
}

export function drawIcicles({ title, text, legend, icicles }: IcicleChart): string {
  let y = TOP;
  const drawn = icicles.flatMap(({ label: name, parts }) => {
    const total = parts.reduce((sum, { value }) => sum + value, 0);
    const perUnit = total > 0 ? (WIDTH - 2 * MARGIN) / total : 0;
    const head = label(MARGIN, y + 11, `${name}: ${text(total)}`, { className: 'value' });
    const rows = drawRow(parts, { x: MARGIN, y: y + HEAD, perUnit }, text);
    y += HEAD + rowsOf(parts) * ROW_HEIGHT + GAP;
    return [head, ...rows];
  });
  return page(title, y, [...drawLegend(legend), ...drawn]);
}
