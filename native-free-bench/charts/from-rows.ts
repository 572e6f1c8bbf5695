/* Curves out of rows. */

import type { Row } from '../harness/rows.ts';
import type { Series } from './chart.ts';

/** The rows whose parameter `by` is the same are a curve over their parameter `x`. */
export function seriesOver(
  rows: readonly Row[],
  x: string,
  by: string,
  nameOf: (value: string | number) => string = String,
): Series[] {
  const groups = new Map<string | number, [number, number][]>();
  for (const { parameters, figure } of rows) {
    const value = parameters[x];
    const group = parameters[by];
    if (typeof value !== 'number' || group === undefined) continue;
    const points = groups.get(group) ?? [];
    points.push([value, figure]);
    groups.set(group, points);
  }
  return [...groups].map(([group, points]) => ({
    name: nameOf(group),
    points: points.toSorted((a, b) => a[0] - b[0]),
  }));
}
