/* Other queue servers beside Capstan: the same loads, the same disk, in one run, each in the
 * batches and with the durability that it is run with. Where a peer is ahead, the ratio says so. */

import type { Chart } from '../charts/chart.ts';
import { type Bench, type Scenario, throughputOf } from '../harness/bench.ts';
import type { Reading, Row, RowPlan } from '../harness/rows.ts';
import { figureText, formatFigure, microseconds, type Table } from '../harness/table.ts';
import type { LoadName, LoadParameters } from '../loads/loads.ts';
import type { Peer } from '../peers/peer.ts';
import { postgresql } from '../peers/postgresql.ts';
import { rabbitmq } from '../peers/rabbitmq.ts';
import { SMALL_PEERS } from '../peers/small-peers.ts';
import {
  CAPSTAN,
  CAPSTAN_SQS,
  type Contender,
  type Contending,
  capstan,
  contenderOf,
} from './contenders.ts';
import { driverOptions } from './standard.ts';

const PEERS: readonly Peer[] = [...SMALL_PEERS, postgresql, rabbitmq];
const STEADY_PER_SECOND = 2_000;
const SINGLE_LANES = 64;
const BATCH_LANES = 16;

/** Each measurement has a queue of its own on the one server. */
class Measurements {
  readonly #bench: Bench;
  readonly #contender: Contender;
  readonly #server: Contending;

  constructor(bench: Bench, contender: Contender, server: Contending) {
    this.#bench = bench;
    this.#contender = contender;
    this.#server = server;
  }

  /** False: it failed, and what comes after it on this server would tell nothing. */
  async all(): Promise<boolean> {
    const { bestBatch } = this.#contender;
    return (
      (await this.#cycle('single cycle', 1)) &&
      (await this.#cycle('batch cycle', bestBatch)) &&
      (await this.#sends('single sends', 1)) &&
      (await this.#sends('enqueue', bestBatch)) &&
      (await this.#latency())
    );
  }

  #plan(what: string, name: string, unit: string): RowPlan {
    const { name: contender, durability, isPeer } = this.#contender;
    return {
      name: `${contender}, ${name}`,
      parameters: { contender, what, ...(isPeer ? { peer: contender } : {}) },
      durability,
      unit,
      better: unit === 'ms' ? 'less' : 'more',
    };
  }

  #options(queue: string, batch: number, connections = 4) {
    return { ...driverOptions(this.#server.url, { batch, connections }), queue };
  }

  #lanes(batch: number) {
    const { driver } = this.#contender;
    const { warmupSeconds, seconds } = this.#bench;
    const lanes = batch === 1 ? SINGLE_LANES : BATCH_LANES;
    return { driver, senders: lanes, receivers: lanes, warmupSeconds, seconds };
  }

  async #load<N extends LoadName>(load: N, parameters: LoadParameters<N>): Promise<Reading> {
    const report = await this.#bench.load(load, parameters, { serverPid: this.#server.pid });
    return { ...throughputOf(report), note: this.#contender.note };
  }

  #cycle(what: string, batch: number): Promise<boolean> {
    const plan = this.#plan(what, `batches of ${batch}, full cycle`, 'msg/s');
    return this.#bench.measure(plan, () => {
      const lanes = this.#lanes(batch);
      const openMax = lanes.senders * batch * 4;
      return this.#load('cycle', { ...lanes, openMax, options: this.#options(`c${batch}`, batch) });
    });
  }

  #sends(what: string, batch: number): Promise<boolean> {
    const { driver, bestBatch } = this.#contender;
    const plan = this.#plan(what, `durable enqueue, batches of ${batch}`, 'msg/s');
    return this.#bench.measure(plan, () => {
      const queue = `e${batch}`;
      const drain = { driver, options: this.#options(queue, bestBatch) };
      const options = this.#options(queue, batch);
      return this.#load('enqueue', { ...this.#lanes(batch), options, drain });
    });
  }

  #latency(): Promise<boolean> {
    const rate = STEADY_PER_SECOND.toLocaleString('en-US');
    const plan = (figure: string) =>
      this.#plan(`p99 ${figure}`, `${rate} msg/s: p99 ${figure}`, 'ms');
    return this.#bench.measureAll(
      { enqueue: plan('enqueue'), dequeue: plan('dequeue') },
      async () => {
        const parameters = {
          driver: this.#contender.driver,
          options: this.#options('latency', 1, 2),
          messagesPerSecond: STEADY_PER_SECOND,
          senders: SINGLE_LANES,
          receivers: 4,
          receiveMax: 10,
          warmupSeconds: Math.max(1, this.#bench.warmupSeconds),
          seconds: Math.max(2, this.#bench.seconds),
        };
        const { pid } = this.#server;
        const { latencies } = await this.#bench.load('latency', parameters, { serverPid: pid });
        const p99 = (name: string): number => latencies[name]!.quantileMs(0.99);
        const note = `of it the load's lag ${p99('lag').toFixed(2)}`;
        return {
          enqueue: { figure: p99('enqueue'), note },
          dequeue: { figure: p99('dequeue'), note },
        };
      },
    );
  }
}

async function measureContender(bench: Bench, contender: Contender): Promise<void> {
  const { name } = contender;
  await bench.attempt(name, () =>
    contender.with(async (server) => {
      const complete = await new Measurements(bench, contender, server).all();
      if (!complete) bench.skip(`the rest of ${name}`, 'the measurement before it failed');
    }),
  );
}

const COLUMNS = [
  { heading: 'full cycle, singles', what: 'single cycle' },
  { heading: 'full cycle, batches', what: 'batch cycle' },
  { heading: 'single sends', what: 'single sends' },
  { heading: 'durable enqueue', what: 'enqueue' },
  { heading: 'p99 enqueue', what: 'p99 enqueue' },
  { heading: 'p99 dequeue', what: 'p99 dequeue' },
] as const;

/** Every contender a line. Beside each figure of a peer stands how many times better Capstan is at
 *  it by the same protocol, or by its own; below 1 the peer is ahead. */
function sideBySide(rows: readonly Row[]): Table {
  const rowOf = (contender: string, what: string) =>
    rows.find(
      ({ parameters }) => parameters['contender'] === contender && parameters['what'] === what,
    );
  const contenders = [CAPSTAN, CAPSTAN_SQS, ...PEERS.map(({ name }) => name)];
  const lines = contenders.flatMap((name) => {
    const cycle = rowOf(name, 'batch cycle');
    const own = PEERS.find((peer) => peer.name === name)?.driver === 'sqs-json';
    const cells = COLUMNS.map(({ what }) => {
      const row = rowOf(name, what);
      if (row === undefined) return '';
      const mine = rowOf(own ? CAPSTAN_SQS : CAPSTAN, what);
      if (row.parameters['peer'] === undefined || mine === undefined) return figureText(row);
      const times = row.unit === 'ms' ? row.figure / mine.figure : mine.figure / row.figure;
      return `${figureText(row)} (${formatFigure(times)})`;
    });
    const cpu = microseconds(cycle?.serverCpuUsPerMessage);
    return cells.every((cell) => cell === '')
      ? []
      : [[name, cycle?.durability ?? '', ...cells, cpu]];
  });
  return {
    title: 'Side by side (in brackets: how many times better Capstan is)',
    headings: [
      'server',
      'durability',
      ...COLUMNS.map(({ heading }) => heading),
      'CPU/msg, batches',
    ],
    numeric: [2, 3, 4, 5, 6, 7, 8],
    lines,
  };
}

function charts(rows: readonly Row[]): readonly Chart[] {
  const cycles = rows.filter(({ parameters }) => parameters['what'] === 'batch cycle');
  return [
    {
      kind: 'bars',
      name: 'peers',
      title: 'Full cycles in batches, one queue, beside other servers',
      unit: 'msg/s',
      bars: cycles
        .toSorted((a, b) => b.figure - a.figure)
        .map(({ parameters, figure, durability }) => ({
          label: `${parameters['contender']}, ${durability.replace(/ *\(.*/, '')}`,
          value: figure,
          highlight: String(parameters['contender']).startsWith('Capstan'),
        })),
    },
  ];
}

export const scenario: Scenario = {
  name: 'peers',
  summary: 'RabbitMQ, NATS JetStream, Redis Streams, BullMQ, beanstalkd, PostgreSQL, fauxqs.',
  when: 'peers',
  run: async (bench) => {
    await measureContender(bench, capstan(bench, 'websocket', 100));
    await measureContender(bench, capstan(bench, 'sqs-json', 10));
    for (const peer of PEERS) {
      const missing = peer.missing();
      if (missing === undefined) await measureContender(bench, contenderOf(bench, peer));
      else bench.skip(peer.name, missing);
    }
  },
  charts,
  tables: (rows) => [sideBySide(rows)],
};
