/* Lines over time, one panel each, as an SVG that needs nothing to be looked at. Pure. */

export interface Series {
  readonly title: string;
  readonly unit: string;
  /** One per sample, in their order. */
  readonly values: readonly number[];
}

const WIDTH = 900;
const PANEL_HEIGHT = 150;
const LEFT = 80;
const RIGHT = 20;
const TOP = 34;
const BOTTOM = 24;

/** `minutes[i]` is when sample i was taken. */
export function chart(title: string, minutes: readonly number[], all: readonly Series[]): string {
  const height = all.length * PANEL_HEIGHT + TOP;
  const panels = all.map((series, i) => panel(series, minutes, TOP + i * PANEL_HEIGHT));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}"`,
    ` font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="15">${escapeText(title)}</text>`,
    ...panels,
    '</svg>',
  ].join('\n');
}

function panel({ title, unit, values }: Series, minutes: readonly number[], top: number): string {
  const last = Math.max(minutes.at(-1) ?? 0, 0.001);
  const most = Math.max(...values, 0.001) * 1.1;
  const plotHeight = PANEL_HEIGHT - BOTTOM - 26;
  const y0 = top + 26 + plotHeight;
  const x = (at: number) => LEFT + (at / last) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => y0 - (value / most) * plotHeight;
  const points = values.map((v, i) => `${x(minutes[i]!).toFixed(1)},${y(v).toFixed(1)}`).join(' ');
  return [
    `<text x="${LEFT}" y="${top + 16}">${escapeText(title)}, ${escapeText(unit)}</text>`,
    `<line x1="${LEFT}" y1="${y0}" x2="${WIDTH - RIGHT}" y2="${y0}" stroke="#999"/>`,
    `<line x1="${LEFT}" y1="${y0 - plotHeight}" x2="${LEFT}" y2="${y0}" stroke="#999"/>`,
    `<text x="${LEFT - 6}" y="${y0}" text-anchor="end">0</text>`,
    `<text x="${LEFT - 6}" y="${y0 - plotHeight + 10}" text-anchor="end">${shown(most)}</text>`,
    `<text x="${WIDTH - RIGHT}" y="${y0 + 16}" text-anchor="end">${shown(last)} min</text>`,
    `<polyline points="${points}" fill="none" stroke="#0a58ca" stroke-width="1.5"/>`,
  ].join('\n');
}

function shown(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(2);
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
