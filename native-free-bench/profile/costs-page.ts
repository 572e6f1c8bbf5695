/* The costs for people: a page, a drawing, and the few lines of it that the README has room for;
 * and the same for machines, from which the README's part is written again whenever other figures
 * are published. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IcicleChart, IciclePart } from '../charts/chart.ts';
import { drawChart } from '../charts/draw.ts';
import { COLOURS } from '../charts/svg.ts';
import { type Machine, machineLine } from '../harness/machine.ts';
import { formatFigure, markdownTable, type Table } from '../harness/table.ts';
import { type AreaKind, kindOf } from './areas.ts';
import { byArea, type PathCost, type ThreadCost } from './costs.ts';

const NAME = 'costs';
const LINES_SHOWN = 3; // of each path, in the README
const TITLE = 'CPU time of a message on its path, by thread and by what it is for';

export interface Costs {
  readonly machine: Machine;
  readonly command: string;
  readonly paths: readonly PathCost[];
}

const KIND_COLOURS: Readonly<Record<AreaKind, string>> = {
  'kernel and native code': COLOURS[1],
  engine: COLOURS[3],
  Capstan: COLOURS[0],
  'host program': COLOURS[2],
  other: '#8c959f',
};
const THREAD_COLOUR = '#57606a';

function us(value: number): string {
  return `${formatFigure(Number(value.toFixed(3)))} us`;
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${Math.round((100 * part) / whole)} %` : '';
}

function threadText({ thread, threads }: Pick<ThreadCost, 'thread' | 'threads'>): string {
  return threads === 1 ? thread : `${thread} (${threads})`;
}

function partsOf({ threads, lines }: PathCost): IciclePart[] {
  return threads.map((thread) => ({
    label: threadText(thread),
    value: thread.usPerMessage,
    colour: THREAD_COLOUR,
    parts: lines
      .filter((line) => line.thread === thread.thread)
      .map(({ area, usPerMessage }) => ({
        label: area,
        value: usPerMessage,
        colour: KIND_COLOURS[kindOf(area)],
      })),
  }));
}

export function costsChart({ paths }: Pick<Costs, 'paths'>): IcicleChart {
  return {
    kind: 'icicles',
    name: NAME,
    title: TITLE,
    text: us,
    legend: Object.entries(KIND_COLOURS).map(([label, colour]) => ({ label, colour })),
    icicles: paths.map((cost) => ({ label: cost.path, parts: partsOf(cost) })),
  };
}

function threadTable({ threads, usPerMessage }: PathCost): Table {
  const line = (name: string, all: number, kernel: number, cores: string) => [
    ...[name, us(all), us(all - kernel), us(kernel)],
    ...[percent(all, usPerMessage), cores],
  ];
  const kernel = threads.reduce((sum, thread) => sum + thread.kernelUsPerMessage, 0);
  return {
    title: 'Threads',
    headings: [
      'threads',
      'a message',
      'of it in user mode',
      'in the kernel',
      'of all',
      'each busy',
    ],
    numeric: [1, 2, 3, 4, 5],
    lines: [
      ...threads.map((thread) =>
        line(
          threadText(thread),
          thread.usPerMessage,
          thread.kernelUsPerMessage,
          percent(thread.cores, 1),
        ),
      ),
      line('all', usPerMessage, kernel, ''),
    ],
  };
}

function lineTable({ threads, lines, usPerMessage }: PathCost): Table {
  const ofThread = new Map(threads.map((thread) => [thread.thread, thread.usPerMessage]));
  return {
    title: 'Lines',
    headings: ['threads', 'what for', 'a message', 'of the thread', 'of all'],
    numeric: [2, 3, 4],
    lines: [
      ...lines
        .filter((line) => line.usPerMessage > 0)
        .map((line) => [
          ...[line.thread, line.area, us(line.usPerMessage)],
          percent(line.usPerMessage, ofThread.get(line.thread) ?? 0),
          percent(line.usPerMessage, usPerMessage),
        ]),
      ['all', '', us(usPerMessage), '', '100 %'],
    ],
  };
}

const HOW_TO_READ = `How much: CPU time of every thread, as the kernel counts it, from a run without
a profiler; the lines of a path add up to the CPU time of its process. Of what: V8's profiles of a
second run, slower for them, from which only proportions are taken. A native call has no frame of
its own in a profile: the function that makes it has its time, with that of the kernel below; the
functions that do nothing else are named for what they call. What no profile can see is what is
left of the thread: the way into a sleep and out of it, the kernel's part of a sync. *other* is
what has less than a hundredth of its thread, and what no rule names. *helpers* are V8's own
threads and libuv's, which run under no profile.`;

function section(cost: PathCost): string {
  const { path, messagesPerSecond, usPerMessage, loadUsPerMessage } = cost;
  const load =
    loadUsPerMessage === undefined
      ? 'the host program is the load, and in it'
      : `beside it the load took ${us(loadUsPerMessage)}`;
  return [
    `## ${path}`,
    `${us(usPerMessage)} a message, at ${formatFigure(messagesPerSecond)} msg/s; ${load}.`,
    markdownTable(lineTable(cost)),
    markdownTable(threadTable(cost)),
  ].join('\n\n');
}

function measuredLine({ machine, command }: Costs): string {
  return `Measured with \`${command}\` on ${machineLine(machine)}.`;
}

/** `costs.md`, `costs.svg` and `costs.json` in a folder. */
export function writeCosts(directory: string, costs: Costs): void {
  const page = [
    '# What a message costs',
    measuredLine(costs),
    HOW_TO_READ,
    `![${TITLE}](${NAME}.svg)`,
    ...costs.paths.map(section),
  ];
  writeFileSync(join(directory, `${NAME}.json`), `${JSON.stringify(costs, undefined, 1)}\n`);
  writeFileSync(join(directory, `${NAME}.svg`), drawChart(costsChart(costs)));
  writeFileSync(join(directory, `${NAME}.md`), `${page.join('\n\n')}\n`);
}

/** Those that were last written there. */
export function readCosts(directory: string): Costs | undefined {
  const file = join(directory, `${NAME}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Costs) : undefined;
}

/** Every path a line. */
export function costsTable({ paths }: Pick<Costs, 'paths'>): Table {
  return {
    title: 'What a message costs the server',
    headings: ['path', 'CPU time', 'most of it'],
    numeric: [1],
    lines: paths.map((cost) => [
      cost.path,
      us(cost.usPerMessage),
      byArea(cost)
        .slice(0, LINES_SHOWN)
        .map(([area, usPerMessage]) => `${area}: ${us(usPerMessage)}`)
        .join('; '),
    ]),
  };
}

/** @param folder of the results, from the README's own. */
export function costsSection(costs: Costs, folder: string): string {
  return [
    `**${costsTable(costs).title}**`,
    markdownTable(costsTable(costs)),
    `![${TITLE}](${folder}/${NAME}.svg)`,
    `${measuredLine(costs)} Every line is in [${folder}/${NAME}.md](${folder}/${NAME}.md).`,
  ].join('\n\n');
}
