/* What a benchmark tells: rows, each a figure with all that it depends on. */

import { medianOf } from './median.ts';

export interface Target {
  readonly sense: 'at least' | 'at most';
  readonly value: number;
}

/** What is measured, before it is. */
export interface RowPlan {
  /** What a reader sees, as `WebSocket, batches of 100, full cycle`. */
  readonly name: string;
  readonly parameters?: Readonly<Record<string, string | number>> | undefined;
  /** Of the server; `-` where nothing is stored. */
  readonly durability: string;
  readonly unit: string;
  /** Whether more of it is better. */
  readonly better: 'more' | 'less';
  readonly target?: number | undefined;
}

/** One measurement of it. */
export interface Reading {
  readonly figure: number;
  readonly serverCpuUsPerMessage?: number | undefined;
  readonly loadCpuUsPerMessage?: number | undefined;
  readonly note?: string | undefined;
}

export interface Row {
  readonly scenario: string;
  readonly name: string;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly durability: string;
  readonly figure: number;
  readonly unit: string;
  /** The least and the greatest of the repeats; the figure is their median. */
  readonly spread: readonly [least: number, greatest: number];
  readonly repeats: number;
  readonly serverCpuUsPerMessage?: number | undefined;
  readonly loadCpuUsPerMessage?: number | undefined;
  readonly target?: Target | undefined;
  readonly verdict: 'met' | 'missed' | 'none';
  readonly note?: string | undefined;
}

function verdictOf(figure: number, target: Target | undefined): Row['verdict'] {
  if (target === undefined) return 'none';
  const met = target.sense === 'at least' ? figure >= target.value : figure <= target.value;
  return met ? 'met' : 'missed';
}

/** The row of a plan: the median reading, with its own CPU figures. */
export function rowOf(scenario: string, plan: RowPlan, readings: readonly Reading[]): Row {
  const figures = readings.map(({ figure }) => figure);
  const median = medianOf(readings, ({ figure }) => figure)!;
  const target: Target | undefined =
    plan.target === undefined
      ? undefined
      : { sense: plan.better === 'more' ? 'at least' : 'at most', value: plan.target };
  return {
    scenario,
    name: plan.name,
    parameters: plan.parameters ?? {},
    durability: plan.durability,
    figure: median.figure,
    unit: plan.unit,
    spread: [Math.min(...figures), Math.max(...figures)],
    repeats: readings.length,
    serverCpuUsPerMessage: median.serverCpuUsPerMessage,
    loadCpuUsPerMessage: median.loadCpuUsPerMessage,
    target,
    verdict: verdictOf(median.figure, target),
    note: median.note,
  };
}

export interface Failure {
  readonly scenario: string;
  /** What was to be measured. */
  readonly name: string;
  readonly message: string;
  /** A wrong count fails the benchmark; anything else fails the scenario, and is told. */
  readonly wrongCount: boolean;
}

export interface Skipped {
  readonly name: string;
  readonly reason: string;
}
