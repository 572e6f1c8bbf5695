/* The benchmark's command: `npm run bench -- --help`. Fails on a wrong count, never on a slow
 * figure. */

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Chart } from './charts/chart.ts';
import { Bench, type BenchOptions, type Scenario } from './harness/bench.ts';
import { describeMachine, machineLine } from './harness/machine.ts';
import { printProfiles } from './harness/profile.ts';
import { type Report, writeReport } from './harness/report.ts';
import { formatFigure, textTable } from './harness/table.ts';
import { SCENARIOS } from './scenarios/scenarios.ts';

const BUILD_DIRECTORY = fileURLToPath(new URL('../..', import.meta.url));
const HELP = `npm run bench -- [options]
  --quick           the few values that say most, once each: within five minutes
  --only NAME       this scenario; may be given several times
  --peers           other queue servers beside Capstan, as far as they are installed
  --list            names the scenarios
  --repeats N       measures each figure N times and tells the median
  --seconds N       measures for so long each time
  --out DIR         where results.json, results.md and plots/ go
  --scratch DIR     where data goes: on the disk that is to be measured
  --profile         takes CPU profiles of the server and tells where the time went`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    peers: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    repeats: { type: 'string' },
    seconds: { type: 'string' },
    out: { type: 'string', default: `${BUILD_DIRECTORY}results` },
    scratch: { type: 'string', default: `${BUILD_DIRECTORY}data` },
    profile: { type: 'boolean', default: false },
  },
});

function chosen(): readonly Scenario[] {
  const { only, quick, peers } = values;
  const unknown = only.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Error(`No such scenario: ${unknown.join(', ')}`);
  if (only.length > 0) return SCENARIOS.filter(({ name }) => only.includes(name));
  return SCENARIOS.filter(
    ({ when }) =>
      when === undefined || (when === 'not quick' && !quick) || (when === 'peers' && peers),
  );
}

async function runScenario(scenario: Scenario, options: BenchOptions) {
  const bench = new Bench(scenario.name, options);
  console.log(`\n${scenario.name}: ${scenario.summary}`);
  await bench.run(scenario);
  for (const { name, reason } of bench.skipped) console.log(`  skipped ${name}: ${reason}`);
  const charts = bench.rows.length > 0 ? (scenario.charts?.(bench.rows, bench.curves) ?? []) : [];
  return { bench, charts };
}

async function main(): Promise<void> {
  const { quick, scratch, out, repeats, seconds, profile } = values;
  const machine = describeMachine(scratch);
  const profileDirectory = profile ? `${out}/profiles` : undefined;
  if (profileDirectory !== undefined) rmSync(profileDirectory, { recursive: true, force: true });
  const options: BenchOptions = {
    quick,
    scratch,
    profileDirectory,
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
  };
  console.log(machineLine(machine));
  const done: Awaited<ReturnType<typeof runScenario>>[] = [];
  for (const scenario of chosen()) {
    done.push(await runScenario(scenario, options));
    if (profileDirectory !== undefined) printProfiles(`${profileDirectory}/${scenario.name}`);
  }
  const charts: Chart[] = done.flatMap((each) => each.charts);
  const report: Report = {
    machine,
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    rows: done.flatMap(({ bench }) => bench.rows),
    curves: Object.fromEntries(done.flatMap(({ bench }) => [...bench.curves])),
    skipped: done.flatMap(({ bench }) => bench.skipped),
    failures: done.flatMap(({ bench }) => bench.failures),
  };
  writeReport(out, report, charts);
  console.log(`\n${textTable(report.rows)}\n\nWritten to ${out}`);
  process.exitCode = report.failures.length > 0 ? 1 : 0;
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
