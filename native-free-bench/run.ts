/* The benchmark's command: `npm run bench -- --help`. Fails on a wrong count, never on a slow
 * figure. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchOptions, Scenario } from './harness/bench.ts';
import { describeMachine, machineLine } from './harness/machine.ts';
import { publish, publishCosts } from './harness/publish.ts';
import { exitCodeOf, type Report, writeReport } from './harness/report.ts';
import type { Failure } from './harness/rows.ts';
import { type Found, runSuite } from './harness/suite.ts';
import { formatFigure, tableOfRows, textTable } from './harness/table.ts';
import { type Costs, costsTable, writeCosts } from './profile/costs-page.ts';
import { writeFunctions } from './profile/functions.ts';
import { measureCosts } from './profile/measure-costs.ts';
import { COST_PATHS } from './profile/paths.ts';
import { overviewCharts } from './scenarios/overview.ts';
import { SCENARIOS } from './scenarios/scenarios.ts';
import { targetsTable } from './scenarios/targets.ts';

const BUILD_DIRECTORY = fileURLToPath(new URL('../..', import.meta.url));
const ROOT = join(BUILD_DIRECTORY, '../..');
const PUBLISHED_FOLDER = 'native-free-bench/published';
const PUBLISHED = join(ROOT, PUBLISHED_FOLDER);
const HELP = `npm run bench -- [options]
  --quick           the few values that say most, once each: within five minutes
  --only NAME       this scenario; may be given several times
  --also NAME       this one, too, though it would be left out
  --peers           other queue servers beside Capstan, as far as they are installed
  --list            names the scenarios
  --repeats N       measures each figure N times and tells the median
  --seconds N       measures for so long each time
  --publish         keeps the results beside the benchmark, and puts them into the README
  --out DIR         where results.json, results.md and plots/ go
  --scratch DIR     where data goes: on the disk that is to be measured
  --profile         then explains what a message costs the server, path by path and line by
                    line, in costs.md beside the results; takes two minutes more
  --costs           explains the costs and measures nothing else
  --functions       then runs the same scenarios under the profiler, and tells in functions.md
                    in which functions the time of their messages went`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    also: { type: 'string', multiple: true, default: [] },
    peers: { type: 'boolean', default: false },
    publish: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    repeats: { type: 'string' },
    seconds: { type: 'string' },
    out: { type: 'string' },
    scratch: { type: 'string', default: `${BUILD_DIRECTORY}data` },
    profile: { type: 'boolean', default: false },
    costs: { type: 'boolean', default: false },
    functions: { type: 'boolean', default: false },
  },
});

function chosen(): readonly Scenario[] {
  const { only, also, quick, peers } = values;
  const unknown = [...only, ...also].filter(
    (name) => !SCENARIOS.some((scenario) => scenario.name === name),
  );
  if (unknown.length > 0) throw new Error(`No such scenario: ${unknown.join(', ')}`);
  if (only.length > 0) return SCENARIOS.filter(({ name }) => [...only, ...also].includes(name));
  return SCENARIOS.filter(
    ({ name, when }) =>
      also.includes(name) ||
      when === undefined ||
      (when === 'not quick' && !quick) ||
      (when === 'peers' && peers),
  );
}

function optionsOf(scratch: string): BenchOptions {
  const { quick, repeats, seconds } = values;
  return {
    quick,
    scratch,
    repeats: repeats === undefined ? undefined : Number(repeats),
    seconds: seconds === undefined ? undefined : Number(seconds),
    onRow: ({ name, figure, unit, verdict, serverCpuUsPerMessage: cpu, note }) => {
      const cost = cpu === undefined ? '' : `, ${formatFigure(cpu)} us of server CPU a message`;
      const judged = verdict === 'none' ? '' : `, target ${verdict}`;
      const noted = note === undefined ? '' : ` (${note})`;
      console.log(`  ${name}: ${formatFigure(figure)} ${unit}${cost}${judged}${noted}`);
    },
    onFailure: ({ name, message, wrongCount }) => {
      console.log(`  ${name}: ${wrongCount ? 'WRONG COUNT' : 'failed'}: ${message}`);
    },
    onSkip: ({ name, reason }) => console.log(`  skipped ${name}: ${reason}`),
  };
}

/** @param keep is given all that was found so far after each scenario. */
function runScenarios(options: BenchOptions, keep: (found: Found) => void): Promise<Found> {
  return runSuite(
    chosen(),
    options,
    (scenario) => console.log(`\n${scenario.name}: ${scenario.summary}`),
    (scenario, seconds, found) => {
      console.log(`  ${scenario.name} took ${seconds.toFixed(0)} s`);
      keep(found);
    },
  );
}

/** What there is to say of what was found. */
function told(origin: Pick<Report, 'machine' | 'command'>, found: Found) {
  const { charts, tables, loads: _, ...rest } = found;
  const report: Report = { ...origin, ...rest };
  const targets = targetsTable(report.rows, values.only.length === 0);
  return {
    report,
    highlights: [targets, ...tables],
    tables: [targets, ...tables, tableOfRows(report.rows)].filter((t) => t.lines.length > 0),
    charts: [...overviewCharts(report.rows), ...charts],
  };
}

/** After all that is timed. What it failed with. */
async function explainCosts(
  out: string,
  origin: Pick<Costs, 'machine' | 'command'>,
  options: BenchOptions,
  publishes: boolean,
): Promise<readonly Failure[]> {
  if (process.platform !== 'linux') {
    options.onSkip({ name: 'costs', reason: 'only Linux tells the CPU time of a thread' });
    return [];
  }
  console.log('\ncosts: what a message costs, line by line');
  const { paths, failures } = await measureCosts(COST_PATHS, options);
  if (failures.length > 0) return failures;
  const costs = { ...origin, paths };
  mkdirSync(out, { recursive: true });
  writeCosts(out, costs);
  if (publishes) {
    writeCosts(PUBLISHED, costs);
    publishCosts(ROOT, PUBLISHED_FOLDER);
  }
  console.log(`\n${textTable(costsTable(costs))}`);
  return [];
}

/** The same scenarios again; their figures are not told. */
async function explainFunctions(out: string, options: BenchOptions): Promise<void> {
  const profileDirectory = join(out, 'profiles');
  rmSync(profileDirectory, { recursive: true, force: true });
  const quietly = { ...options, profileDirectory, onRow: () => undefined };
  const { loads } = await runScenarios(quietly, () => undefined);
  const tables = writeFunctions(join(out, 'functions.md'), profileDirectory, loads);
  for (const table of tables) console.log(`\n${textTable(table)}`);
}

/** Whatever a hung server or load has left behind ends, too. */
function end(out: string, failures: readonly Failure[]): never {
  const took = performance.now() / 1000;
  console.log(`\nWritten to ${out}, after ${took.toFixed(0)} s`);
  process.exit(exitCodeOf({ failures }));
}

async function main(): Promise<void> {
  const out = values.out ?? join(BUILD_DIRECTORY, 'results');
  const machine = describeMachine(values.scratch);
  const scratch = mkdtempSync(join(values.scratch, 'run-'));
  chmodSync(scratch, 0o711); // A peer may run as another user.
  // Also when it is interrupted.
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
  const options = optionsOf(scratch);
  const command = ['npm run bench --', ...process.argv.slice(2)].join(' ');
  const origin = { machine, command };
  console.log(machineLine(machine));
  if (values.costs) return end(out, await explainCosts(out, origin, options, values.publish));
  // After each scenario: a run that is broken off, or breaks, leaves what it had.
  const keep = (found: Found) => {
    const { report, tables, charts } = told(origin, found);
    writeReport(out, report, tables, charts);
  };
  const { report, highlights, tables, charts } = told(origin, await runScenarios(options, keep));
  for (const table of tables) console.log(`\n${textTable(table)}`);
  const isSound = !report.failures.some(({ wrongCount }) => wrongCount);
  const publishes = values.publish && isSound;
  if (publishes) {
    writeReport(PUBLISHED, report, tables, charts);
    publish(ROOT, PUBLISHED_FOLDER, report, highlights, charts);
  } else if (values.publish) {
    console.log('\nNot published: a count is wrong, which makes every figure doubtful.');
  }
  const failures = [...report.failures];
  if (values.profile) failures.push(...(await explainCosts(out, origin, options, publishes)));
  if (values.functions) await explainFunctions(out, options);
  end(out, failures);
}

// Servers and loads end with this process, on its way out: also when it is interrupted.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(130));
}

if (values.help) console.log(HELP);
else if (values.list) {
  for (const { name, summary, when } of SCENARIOS) {
    console.log(`${name.padEnd(18)}${summary}${when === undefined ? '' : ` (${when})`}`);
  }
} else await main();
