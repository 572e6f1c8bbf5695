/* `npm run soak -- --minutes 30`: a mixed load over plain HTTP, with the server's memory,
 * descriptors, disk and latencies sampled and drawn to an SVG. Flat lines are the bar. Needs
 * Linux. */

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { TestServer } from '../support/server.ts';
import { chart } from './soak-chart.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    samples: { type: 'string', default: '120' },
    /** Pairs of a producer and a consumer, of each kind of queue. */
    pairs: { type: 'string', default: '4' },
    out: { type: 'string', default: 'test/torture/.build/soak.svg' },
  },
});

const minutes = Number(options.minutes);
const samplesWanted = Number(options.samples);
const VISIBILITY_MS = 2000;
const BACKLOG_PAUSE_MS = 5;
const BACKLOG_MAX = 2000;
/** A send in so many is delayed; a message in so many is not handled, but left to its deadline. */
const DELAYED_ONE_IN = 20;
const FORGOTTEN_ONE_IN = 50;

const server = await TestServer.start({ args: ['--log-level', 'warn'] });
const deadline = performance.now() + minutes * 60_000;
const latencies: Record<'send' | 'receive' | 'delete', number[]> = {
  send: [],
  receive: [],
  delete: [],
};
let sent = 0;
let deleted = 0;

function backlog(): number {
  return sent - deleted;
}

async function call(
  kind: keyof typeof latencies | undefined,
  method: string,
  where: string,
  body?: string,
): Promise<string> {
  const began = performance.now();
  const answer = await fetch(server.url + where, {
    method,
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  if (kind !== undefined) latencies[kind].push(performance.now() - began);
  if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${text}`);
  return text;
}

async function produce(queue: string, random: SeededRandom): Promise<void> {
  const fifo = queue.endsWith('.fifo');
  for (let i = 0; performance.now() < deadline; i++) {
    const messages = Array.from({ length: 1 + random.below(10) }, (_, entry) => ({
      body: 'x'.repeat(1 + random.below(4000)),
      ...(fifo
        ? { groupId: `g${random.below(200)}`, deduplicationId: `${random.word()}-${i}-${entry}` }
        : random.oneIn(DELAYED_ONE_IN)
          ? { delayMs: random.below(5000) }
          : {}),
    }));
    await call('send', 'POST', `/v1/queues/${queue}/messages/batch`, JSON.stringify({ messages }));
    sent += messages.length;
    // The load is steady: what is sent is what is handled.
    while (backlog() > BACKLOG_MAX && performance.now() < deadline) await sleep(BACKLOG_PAUSE_MS);
    await sleep(BACKLOG_PAUSE_MS);
  }
}

async function consume(queue: string, random: SeededRandom): Promise<void> {
  while (performance.now() < deadline) {
    const text = await call('receive', 'POST', `/v1/queues/${queue}/receive?max=10&waitMs=0`);
    const { messages } = JSON.parse(text) as { messages: { receiptHandle: string }[] };
    const handled = messages.filter(() => !random.oneIn(FORGOTTEN_ONE_IN));
    for (const { receiptHandle } of handled) {
      const handle = encodeURIComponent(receiptHandle);
      await call('delete', 'DELETE', `/v1/queues/${queue}/messages/${handle}`);
      deleted++;
    }
    if (messages.length === 0) await sleep(BACKLOG_PAUSE_MS);
  }
}

function residentMib(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

function diskMib(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const file = path.join(entry.parentPath, entry.name);
    // A file may go between the listing and the look at it.
    if (entry.isFile()) bytes += (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }
  return bytes / (1024 * 1024);
}

function takeP99(kind: keyof typeof latencies): number {
  const sorted = latencies[kind].splice(0).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}

const at: number[] = [];
const series = {
  'resident memory': { unit: 'MiB', values: [] as number[] },
  'open descriptors': { unit: 'count', values: [] as number[] },
  disk: { unit: 'MiB', values: [] as number[] },
  'send p99': { unit: 'ms', values: [] as number[] },
  'receive p99': { unit: 'ms', values: [] as number[] },
  'delete p99': { unit: 'ms', values: [] as number[] },
  'messages handled': { unit: 'per second', values: [] as number[] },
};

async function sample(): Promise<void> {
  const began = performance.now();
  const pauseMs = (minutes * 60_000) / samplesWanted;
  for (let before = 0; performance.now() < deadline; ) {
    await sleep(pauseMs);
    at.push((performance.now() - began) / 60_000);
    series['resident memory'].values.push(residentMib());
    series['open descriptors'].values.push(readdirSync(`/proc/${server.pid}/fd`).length);
    series.disk.values.push(diskMib(server.data));
    for (const kind of ['send', 'receive', 'delete'] as const) {
      series[`${kind} p99`].values.push(takeP99(kind));
    }
    series['messages handled'].values.push((deleted - before) / (pauseMs / 1000));
    before = deleted;
  }
}

try {
  const queues = ['soak', 'soak.fifo'];
  await call(undefined, 'PUT', '/v1/queues/dead');
  await call(undefined, 'PUT', '/v1/queues/dead.fifo');
  for (const queue of queues) {
    const deadLetterQueue = queue.replace('soak', 'dead');
    const redrivePolicy = { deadLetterQueue, maxReceiveCount: 3 };
    const attributes = { visibilityTimeoutMs: VISIBILITY_MS, redrivePolicy };
    await call(undefined, 'PUT', `/v1/queues/${queue}`, JSON.stringify(attributes));
  }
  const workers: Promise<void>[] = [sample()];
  for (const queue of queues) {
    for (let pair = 0; pair < Number(options.pairs); pair++) {
      workers.push(produce(queue, seededRandom(pair)), consume(queue, seededRandom(100 + pair)));
      workers.push(consume(queue, seededRandom(200 + pair)));
    }
    workers.push(consume(queue.replace('soak', 'dead'), seededRandom(300)));
  }
  await Promise.all(workers);
} finally {
  await server.close();
}

const title = `${minutes} minutes, ${sent} messages sent, ${deleted} handled`;
const all = Object.entries(series).map(([name, each]) => ({ title: name, ...each }));
mkdirSync(path.dirname(options.out), { recursive: true });
writeFileSync(options.out, chart(title, at, all));
console.log(`${title}; drawn to ${options.out}`);
for (const { title: name, unit, values } of all) {
  const half = values.slice(Math.floor(values.length / 2));
  const mean = (part: readonly number[]) => part.reduce((sum, v) => sum + v, 0) / part.length;
  const early = mean(values.slice(0, values.length - half.length)).toFixed(1);
  console.log(
    `${name}: ${early} ${unit} in the first half, ${mean(half).toFixed(1)} in the second`,
  );
}
