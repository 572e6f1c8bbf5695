import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drawChart } from '../../../native-free-bench/charts/draw.ts';
import type { Machine } from '../../../native-free-bench/harness/machine.ts';
import { publish, publishCosts } from '../../../native-free-bench/harness/publish.ts';
import type { Report } from '../../../native-free-bench/harness/report.ts';
import { areasOf, type ProfileNode } from '../../../native-free-bench/profile/areas.ts';
import { type CostRun, costOf, type PathCost } from '../../../native-free-bench/profile/costs.ts';
import {
  type Costs,
  costsChart,
  costsTable,
  writeCosts,
} from '../../../native-free-bench/profile/costs-page.ts';
import {
  type ThreadTime,
  threadTimes,
  timesBetween,
} from '../../../native-free-bench/profile/threads.ts';
import type { Profile } from '../../../native-free-bench/profile/v8-profile.ts';

const DIST = 'file:///capstan/dist';

function node(
  id: number,
  functionName: string,
  url: string,
  children: readonly number[] = [],
): ProfileNode {
  return { id, callFrame: { functionName, url }, children };
}

/** Nodes 2 .. 7 of a partition's thread. */
const [SLEEP, DECIDE, WRITE, RING, COLLECT, UNNAMED] = [2, 3, 4, 5, 6, 7] as const;
const NODES: readonly ProfileNode[] = [
  node(1, '(root)', '', [SLEEP, DECIDE, WRITE, RING, COLLECT, UNNAMED]),
  node(SLEEP, 'sleep', `${DIST}/ring/doorbell.js`),
  node(DECIDE, 'send', `${DIST}/queue/sending.js`),
  node(WRITE, 'writeBuffer', ''),
  node(RING, 'ring', `${DIST}/ring/doorbell.js`),
  node(COLLECT, '(garbage collector)', ''),
  node(UNNAMED, 'anything', 'node:internal/timers'),
];

function profileOf(samples: readonly (readonly [node: number, us: number])[]): Profile {
  return {
    nodes: NODES,
    startTime: 0,
    samples: samples.map(([id]) => id),
    timeDeltas: samples.map(([, us]) => us),
  };
}

function time(runUs: number, kernelTicks: number): ThreadTime {
  return { runUs, kernelTicks, userTicks: 10 - kernelTicks };
}

const PARTITION = 101;
const HELPER = 102;

function runOf(threads: readonly (readonly [number, ThreadTime])[]): CostRun {
  return {
    scenario: 'costs',
    name: '',
    pid: 100,
    fromUs: 0,
    toUs: 1_000_000,
    messages: 1000,
    threads: new Map(threads),
    notes: [{ systemId: PARTITION, threadId: 1, entry: '/dist/partition/partition-worker.js' }],
  };
}

const PLAIN = runOf([
  [PARTITION, time(8000, 4)],
  [HELPER, time(1000, 0)],
]);

/** What a partition of 8 us a message has done, by the samples of its profile. */
function costWith(samples: readonly (readonly [node: number, us: number])[]): PathCost {
  const profiled = runOf([[PARTITION, time(10_000, 4)]]);
  return costOf('path', PLAIN, profiled, new Map([[1, profileOf(samples)]]));
}

function told(cost: PathCost): Record<string, number> {
  return Object.fromEntries(
    cost.lines.map(({ thread, area, usPerMessage }) => [
      `${thread}: ${area}`,
      Number(usPerMessage.toFixed(3)),
    ]),
  );
}

const UNSEEN = 'partitions: sleep and wake: kernel, unseen by the profiler';
const HELPERS = 'helpers: collector and compiler threads';
const SAMPLES = [
  ...Array.from({ length: 20 }, () => [DECIDE, 200] as const),
  ...Array.from({ length: 10 }, () => [WRITE, 200] as const),
  ...Array.from({ length: 40 }, () => [SLEEP, 200] as const),
];

describe('what a message costs', () => {
  it('adds up to the CPU time of the process, what no profile sees included', () => {
    const cost = costWith(SAMPLES);
    expect(cost.usPerMessage).toBeCloseTo(9);
    const sum = cost.lines.reduce((total, line) => total + line.usPerMessage, 0);
    expect(sum).toBeCloseTo(cost.usPerMessage);
    // 30 samples of 200 us were work, of 10,000 us that the thread ran under the profiler.
    expect(told(cost)).toEqual({
      'partitions: decide and apply': 3.2,
      'partitions: log: write (kernel)': 1.6,
      [UNSEEN]: 3.2,
      [HELPERS]: 1,
    });
  });

  it('counts a sample that others ran in between for no more than the usual', () => {
    const preempted = SAMPLES.map(([id, us], i) => [id, i === 3 ? 50_000 : us] as const);
    expect(told(costWith(preempted))).toEqual(told(costWith(SAMPLES)));
  });

  it('takes nothing in user mode for sleep, however few samples there are', () => {
    const few = costWith([
      [DECIDE, 200],
      [WRITE, 200],
      [SLEEP, 200],
    ]);
    expect(told(few)).toMatchObject({ [UNSEEN]: 3.2, 'partitions: decide and apply': 2.4 });
  });

  it('counts samples of the measured time only', () => {
    const late = Array.from({ length: 50 }, () => [COLLECT, 200] as const);
    const samples = [...SAMPLES, [SLEEP, 2_000_000] as const, ...late];
    expect(Object.keys(told(costWith(samples)))).not.toContain('partitions: garbage collection');
  });

  it('gathers under a name of its own what no rule names, and what is next to nothing', () => {
    const samples = [
      ...SAMPLES,
      ...Array.from({ length: 10 }, () => [UNNAMED, 200] as const),
      [RING, 20] as const,
    ];
    const names = Object.keys(told(costWith(samples)));
    expect(names).toContain('partitions: other');
    expect(names.filter((name) => name.includes('wake another'))).toEqual([]);
  });

  it('is the kernel figure alone where there is no profile', () => {
    expect(told(costOf('path', PLAIN, PLAIN, new Map()))).toEqual({ [UNSEEN]: 8, [HELPERS]: 1 });
  });
});

describe('the area of a function', () => {
  it('is that of its caller when it is not of the project', () => {
    const areas = areasOf([
      node(1, '(root)', '', [2]),
      node(2, 'parse', `${DIST}/door/sqs/json-scanner.js`, [3]),
      node(3, 'slice', 'node:buffer', [4]),
      node(4, '_copyActual', 'node:buffer'),
    ]);
    expect([2, 3, 4].map((id) => areas.get(id))).toEqual([
      'SQS: JSON, parse and write',
      'SQS: JSON, parse and write',
      'copies of bytes',
    ]);
  });

  it('is sleep for the waits of the doorbell, not for functions of the same name', () => {
    const areas = areasOf([
      node(1, '(root)', '', [2, 3]),
      node(2, 'sleep', `${DIST}/ring/doorbell.js`),
      node(3, 'sleep', `${DIST}/broker/supervisor.js`),
    ]);
    expect([areas.get(2), areas.get(3)]).toEqual(['asleep', 'routing']);
  });
});

const MACHINE = { date: '2001-02-03', capstan: 'first' } as Machine;
const COSTS: Costs = { machine: MACHINE, command: 'first run', paths: [costWith(SAMPLES)] };

describe('the page of the costs', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'capstan-costs-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('tells the three largest of all threads together', () => {
    const [line] = costsTable(COSTS).lines;
    expect(line).toEqual([
      'path',
      '9 us',
      'decide and apply: 3.2 us; sleep and wake: kernel, unseen by the profiler: 3.2 us; ' +
        'log: write (kernel): 1.6 us',
    ]);
  });

  it('has every line', () => {
    writeCosts(root, COSTS);
    const page = readFileSync(join(root, 'costs.md'), 'utf8');
    for (const { thread, area } of COSTS.paths[0]!.lines) {
      expect(page).toContain(`| ${thread} | ${area} | `);
    }
  });

  it('draws as much as there is room for', () => {
    const drawing = drawChart(costsChart(COSTS));
    const parts = [...drawing.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)" height="17"/g)];
    expect(parts).toHaveLength(2 + COSTS.paths[0]!.lines.length);
    for (const [, x, width] of parts) expect(Number(x) + Number(width)).toBeLessThan(745);
  });

  it('stays in the README as it was last measured when other figures are published', () => {
    const readme = join(root, 'README.md');
    writeFileSync(readme, '<!-- benchmarks: begin -->\n<!-- benchmarks: end -->\n');
    writeCosts(root, COSTS);
    const machine = { ...MACHINE, date: '2002-03-04', capstan: 'second' };
    const nothing = { rows: [], curves: {}, skipped: [], failures: [] };
    const report: Report = { machine, command: 'second run', ...nothing };
    publish(root, '.', report, [], []);
    publish(root, '.', report, [], []);
    publishCosts(root, '.');
    const text = readFileSync(readme, 'utf8');
    expect(text.split('**What a message costs the server**')).toHaveLength(2);
    expect(text).toMatch(/Measured with `first run` on 2001-02-03.*Capstan first/);
    writeCosts(root, { ...COSTS, command: 'third run' });
    publishCosts(root, '.');
    expect(readFileSync(readme, 'utf8')).toBe(text.replace('`first run`', '`third run`'));
    expect(text).toMatch(/Measured with `second run` on 2002-03-04.*Capstan second/);
  });
});

describe.runIf(process.platform === 'linux')('the CPU time of the threads', () => {
  it('is no more than that of the process, and grows with the work of one of them', () => {
    const before = threadTimes(process.pid);
    const until = process.cpuUsage().user + 50_000;
    while (process.cpuUsage().user < until) void before;
    const used = timesBetween(before, threadTimes(process.pid));
    expect(Math.max(...[...used.values()].map(({ runUs }) => runUs))).toBeGreaterThan(25_000);
    const { user, system } = process.cpuUsage();
    const all = [...threadTimes(process.pid).values()].reduce((sum, { runUs }) => sum + runUs, 0);
    expect(all).toBeLessThanOrEqual(user + system + 1_000_000);
  });
});
