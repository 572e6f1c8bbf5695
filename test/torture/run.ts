/* `npm run torture -- --minutes 60`: every fault in turn, on servers of their own, with every
 * client a process, until the time is up; then a table. `--fault NAME` runs one of them only,
 * `--seed N` begins elsewhere. */

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runClientInProcess } from './client.ts';
import { FAULTS, type Fault } from './faults.ts';
import { type Tortured, torture } from './tortured.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    fault: { type: 'string' },
    times: { type: 'string', default: '10' },
    messages: { type: 'string', default: '2000' },
    keep: { type: 'string' },
  },
});

interface Row {
  times: number;
  runs: number;
  sent: number;
  redelivered: number;
  violations: number;
  bytesLost: number;
}

const until = performance.now() + Number(values.minutes) * 60_000;
const rows = new Map<string, Row>();
const chosen = FAULTS.filter((each) => values.fault === undefined || each.name === values.fault);
let failures = 0;

async function once(fault: Fault, fifo: boolean, seed: number): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'capstan-torture-'));
  const began = performance.now();
  try {
    const result = await torture(fault, Number(values.times), {
      folder,
      seed,
      fifo,
      producers: 2,
      consumers: fifo ? 8 : 2,
      messagesPerProducer: Number(values.messages) / 2,
      groups: 200,
      visibilityMs: 3000,
      pauseMs: 20,
      disk: fault.needs(folder).disk === true,
      runClient: runClientInProcess,
    });
    note(fault, fifo, result);
    if (result.violations.length > 0)
      fail(folder, fault, fifo, seed, result.violations, result.log);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    fail(folder, fault, fifo, seed, [text], '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`${fault.name}, ${kind(fifo)} queue, seed ${seed}: ${seconds} s`);
}

function kind(fifo: boolean): string {
  return fifo ? 'FIFO' : 'standard';
}

function note(fault: Fault, fifo: boolean, result: Tortured): void {
  const name = `${fault.name} (${kind(fifo)})`;
  const row = rows.get(name) ?? {
    times: 0,
    runs: 0,
    sent: 0,
    redelivered: 0,
    violations: 0,
    bytesLost: 0,
  };
  rows.set(name, row);
  row.times += result.times;
  row.runs++;
  row.sent += result.sent;
  row.redelivered += result.redelivered;
  row.violations += result.violations.length;
  row.bytesLost += result.bytesLost;
}

function fail(
  folder: string,
  fault: Fault,
  fifo: boolean,
  seed: number,
  violations: readonly string[],
  log: string,
): void {
  failures++;
  console.error(`${fault.name}, ${kind(fifo)} queue, seed ${seed}:`);
  for (const violation of violations) console.error(`  ${violation}`);
  if (values.keep === undefined) return;
  const kept = path.join(values.keep, path.basename(folder));
  mkdirSync(kept, { recursive: true });
  cpSync(path.join(folder, 'ledgers'), path.join(kept, 'ledgers'), { recursive: true });
  cpSync(path.join(folder, 'data'), path.join(kept, 'data'), { recursive: true });
  writeFileSync(path.join(kept, 'server.log'), log);
  console.error(`  kept in ${kept}`);
}

for (const fault of chosen) {
  const missing = fault.missing?.();
  if (missing !== undefined) console.log(`${fault.name}: left out: ${missing}`);
}
const possible = chosen.filter((each) => each.missing?.() === undefined);
/** Each is tried once at least, however little time there is. */
const tried = new Set<string>();
let seed = Number(values.seed);
do {
  for (const fault of possible) {
    for (const fifo of [false, true]) {
      if (performance.now() >= until && tried.size >= possible.length * 2) break;
      tried.add(`${fault.name} ${fifo}`);
      await once(fault, fifo, seed++);
    }
  }
} while (performance.now() < until);

console.log(
  '| fault | times | acknowledged | redelivered | unsynced bytes dropped | promises broken |',
);
console.log('| --- | --- | --- | --- | --- | --- |');
for (const [name, row] of rows) {
  const { times, sent, redelivered, bytesLost, violations } = row;
  const cells = [name, times, sent, redelivered, bytesLost, violations];
  console.log(`| ${cells.join(' | ')} |`);
}
process.exitCode = failures === 0 ? 0 : 1;
