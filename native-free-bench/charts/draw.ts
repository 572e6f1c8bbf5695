/* Draws charts as SVG. */

import type { BarChart, Chart, LineChart } from './chart.ts';
import { drawIcicles } from './icicles.ts';
import {
  COLOURS,
  HEIGHT,
  label,
  linearScale,
  logScale,
  page,
  round,
  rule,
  type Scale,
  shortNumber,
  WIDTH,
} from './svg.ts';

const LEFT = 72;
const RIGHT = 24;
const TOP = 64; // with a legend of one row
const LEGEND_ROW = 18;
const BOTTOM = 56;
const BAR_LABEL_WIDTH = 240;
const BAR_HEIGHT = 22;
const BAR_GAP = 10;

function scaleOf(kind: 'linear' | 'log', values: readonly number[], listed: boolean): Scale {
  const distinct = [...new Set(values)].toSorted((a, b) => a - b);
  if (kind === 'linear') return linearScale(distinct.at(-1) ?? 1);
  return logScale(distinct[0] ?? 1, distinct.at(-1) ?? 10, listed ? distinct : undefined);
}

interface Legend {
  readonly parts: readonly string[];
  readonly rows: number;
}

/** Names and colours above the chart, in as many rows as they take. */
function drawLegend(names: readonly string[]): Legend {
  const parts: string[] = [];
  let x = LEFT;
  let row = 0;
  names.forEach((name, i) => {
    const width = 40 + name.length * 7;
    if (x > LEFT && x + width > WIDTH) {
      x = LEFT;
      row += 1;
    }
    const y = 40 + row * LEGEND_ROW;
    parts.push(`<rect x="${x}" y="${y}" width="12" height="4" rx="2" fill="${colourOf(i)}"/>`);
    parts.push(label(x + 18, y + 6, name));
    x += width;
  });
  return { parts, rows: row + 1 };
}

function colourOf(series: number): string {
  return COLOURS[series % COLOURS.length]!;
}

function drawLines(chart: LineChart): string {
  const legend = drawLegend(chart.series.map(({ name }) => name));
  const top = TOP + (legend.rows - 1) * LEGEND_ROW;
  const points = chart.series.flatMap((series) => series.points);
  const x = scaleOf(
    chart.x.scale,
    points.map(([value]) => value),
    true,
  );
  const y = scaleOf(
    chart.y.scale,
    points.map(([, value]) => value),
    false,
  );
  const thousand = chart.x.ofBytes === true ? 1024 : 1000;
  const right = WIDTH - RIGHT;
  const bottom = HEIGHT - BOTTOM;
  const atX = (value: number): number => LEFT + x.at(value) * (right - LEFT);
  const atY = (value: number): number => bottom - y.at(value) * (bottom - top);
  const parts: string[] = [];
  for (const tick of y.ticks) {
    parts.push(rule(LEFT, atY(tick), right, atY(tick), 'grid'));
    parts.push(label(LEFT - 8, atY(tick) + 4, shortNumber(tick), { anchor: 'end' }));
  }
  for (const tick of x.ticks) {
    parts.push(rule(atX(tick), bottom, atX(tick), bottom + 5, 'axis'));
    parts.push(label(atX(tick), bottom + 20, shortNumber(tick, thousand), { anchor: 'middle' }));
  }
  parts.push(rule(LEFT, bottom, right, bottom, 'axis'));
  parts.push(label((LEFT + right) / 2, HEIGHT - 14, chart.x.label, { anchor: 'middle' }));
  const middle = (top + bottom) / 2;
  parts.push(label(18, middle, chart.y.label, { anchor: 'middle', turned: true }));
  chart.series.forEach((series, i) => {
    const colour = colourOf(i);
    const path = series.points.map(([px, py]) => `${round(atX(px))},${round(atY(py))}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    if (series.points.length <= 12) {
      for (const [px, py] of series.points) {
        parts.push(
          `<circle cx="${round(atX(px))}" cy="${round(atY(py))}" r="3" fill="${colour}"/>`,
        );
      }
    }
  });
  return page(chart.title, HEIGHT, [...legend.parts, ...parts]);
}

function drawBars(chart: BarChart): string {
  const greatest = Math.max(...chart.bars.map(({ value }) => value), Number.MIN_VALUE);
  const room = WIDTH - BAR_LABEL_WIDTH - RIGHT - 90;
  const parts = chart.bars.flatMap(({ label: name, value, highlight = false }, i) => {
    const top = 44 + i * (BAR_HEIGHT + BAR_GAP);
    const width = Math.max(1, (value / greatest) * room);
    const colour = highlight ? COLOURS[0] : '#8c959f';
    const baseline = top + BAR_HEIGHT / 2 + 4;
    return [
      label(BAR_LABEL_WIDTH - 10, baseline, name, { anchor: 'end' }),
      `<rect x="${BAR_LABEL_WIDTH}" y="${top}" width="${round(width)}" height="${BAR_HEIGHT}" ` +
        `rx="3" fill="${colour}"/>`,
      label(BAR_LABEL_WIDTH + width + 8, baseline, `${shortNumber(value)} ${chart.unit}`, {
        className: 'value',
      }),
    ];
  });
  return page(chart.title, 56 + chart.bars.length * (BAR_HEIGHT + BAR_GAP), parts);
}

const DRAWERS = { lines: drawLines, bars: drawBars, icicles: drawIcicles } as const;

export function drawChart(chart: Chart): string {
  return (DRAWERS[chart.kind] as (chart: Chart) => string)(chart);
}
