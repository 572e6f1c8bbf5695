/* The common parts of a chart as SVG: a page that follows the reader's light or dark scheme, text,
 * axes with round ticks. No library: a chart is a few lines and some numbers. */

export const WIDTH = 760;
export const HEIGHT = 400;
export const COLOURS = ['#2f81f7', '#e3702e', '#2da44e', '#a475f9', '#d4a72c', '#cf4f8b'] as const;

const STYLE = `
  text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #57606a; }
  .title { font-size: 15px; font-weight: 600; fill: #24292f; }
  .value { font-weight: 600; fill: #24292f; }
  .inside { font-size: 11px; fill: #ffffff; }
  .grid { stroke: #8c959f; stroke-opacity: .25; }
  .axis { stroke: #8c959f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; }
    .title, .value { fill: #e6edf3; }
    .inside { fill: #ffffff; }
  }`;

export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export interface TextPlace {
  readonly anchor?: 'start' | 'middle' | 'end' | undefined;
  readonly className?: string | undefined;
  readonly turned?: boolean | undefined;
}

export function label(x: number, y: number, content: string, place: TextPlace = {}): string {
  const { anchor = 'start', className, turned = false } = place;
  const attributes = [
    `x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"`,
    className === undefined ? '' : ` class="${className}"`,
    turned ? ` transform="rotate(-90 ${round(x)} ${round(y)})"` : '',
  ];
  return `<text ${attributes.join('')}>${escapeText(content)}</text>`;
}

export function rule(x1: number, y1: number, x2: number, y2: number, className: string): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map(round);
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" class="${className}"/>`;
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function page(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    label(16, 26, title, { className: 'title' }),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

const SUFFIXES = ['G', 'M', 'K'] as const;

/** A number as an axis tells it: `250K`, `1.5M`, `0.3`. */
export function shortNumber(value: number, thousand: 1000 | 1024 = 1000): string {
  for (const [i, suffix] of SUFFIXES.entries()) {
    const size = thousand ** (SUFFIXES.length - i);
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${suffix}`;
  }
  return String(Number(value.toPrecision(3)));
}

export interface Scale {
  readonly ticks: readonly number[];
  /** 0 .. 1 along the axis. */
  at(value: number): number;
}

/** Round ticks from zero to at least `max`. */
export function linearScale(max: number): Scale {
  const rough = (max > 0 ? max : 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough)!;
  const count = Math.ceil((max > 0 ? max : 1) / step);
  const ticks = Array.from({ length: count + 1 }, (_, i) => i * step);
  return { ticks, at: (value) => value / (count * step) };
}

/** A tick at every power of ten, and at `values` where those are few. */
export function logScale(min: number, max: number, values?: readonly number[]): Scale {
  const few = values !== undefined && values.length <= 8;
  const low = few ? Math.log(min) : Math.floor(Math.log10(min)) * Math.LN10;
  const high = few ? Math.log(max) : Math.ceil(Math.log10(max)) * Math.LN10;
  const span = high - low || 1;
  const decades = Array.from(
    { length: Math.round((high - low) / Math.LN10) + 1 },
    (_, i) => 10 ** (Math.round(low / Math.LN10) + i),
  );
  return { ticks: few ? values : decades, at: (value) => (Math.log(value) - low) / span };
}
