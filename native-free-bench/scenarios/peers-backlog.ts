/* The backlog of a million beside other queue servers: a queue whose consumers are down, filled,
 * held, drained; and filled anew, killed, and asked for its first message. */

import type { Bench, Scenario } from '../harness/bench.ts';
import { BODY_BYTES } from '../harness/bench.ts';
import { type LoadReport, requireBalance } from '../harness/load.ts';
import { residentBytes } from '../harness/process-usage.ts';
import type { Row, RowPlan } from '../harness/rows.ts';
import type { Table } from '../harness/table.ts';
import { figureText } from '../harness/table.ts';
import type { Peer } from '../peers/peer.ts';
import { postgresql } from '../peers/postgresql.ts';
import { rabbitmq } from '../peers/rabbitmq.ts';
import { SMALL_PEERS } from '../peers/small-peers.ts';
import { restartSeconds } from './backlog.ts';
import { CAPSTAN, type Contender, type Contending, capstan, contenderOf } from './contenders.ts';
import { driverOptions } from './standard.ts';

const MESSAGES = 1_000_000;
const QUICK_MESSAGES = 100_000;
const LANES = 16;
const HALF_TIMEOUT_MS = 600_000;
const MIB = 1024 * 1024;
const FILL = 'enqueue rate';
const MEMORY = 'resident memory';
const DRAIN = 'drain rate';
const RESTART = 'restart to first receive, after SIGKILL';

/** Those that hold a million messages in their stride. */
const NAMES: readonly string[] = ['Redis Streams', 'NATS JetStream'];
const PEERS: readonly Peer[] = [
  ...SMALL_PEERS.filter(({ name }) => NAMES.includes(name)),
  rabbitmq,
  postgresql,
];

class Backlog {
  readonly #bench: Bench;
  readonly #contender: Contender;
  readonly #messages: number;

  constructor(bench: Bench, contender: Contender) {
    this.#bench = bench;
    this.#contender = contender;
    this.#messages = bench.quick ? QUICK_MESSAGES : MESSAGES;
  }

  #plan(what: string, unit: string): RowPlan {
    const { name, durability, isPeer } = this.#contender;
    return {
      name: `${name}, ${this.#messages.toLocaleString('en-US')} waiting messages: ${what}`,
      // No `what` of the other side-by-side rows.
      parameters: { contender: name, figure: what, ...(isPeer ? { peer: name } : {}) },
      durability,
      unit,
      better: unit === 'msg/s' ? 'more' : 'less',
    };
  }

  #half(server: Contending, way: 'fill' | 'drain'): Promise<LoadReport> {
    const { driver, bestBatch } = this.#contender;
    const options = driverOptions(server.url, { batch: bestBatch, connections: 4 });
    const parameters = { driver, options, way, messages: this.#messages, lanes: LANES } as const;
    return this.#bench.load('backlog', parameters, {
      serverPid: server.pid,
      balanced: false,
      timeoutMs: HALF_TIMEOUT_MS,
    });
  }

  /** False: it failed. */
  async hold(server: Contending): Promise<boolean> {
    const { name, note } = this.#contender;
    const plans = {
      fill: this.#plan(FILL, 'msg/s'),
      memory: this.#plan(MEMORY, 'MiB'),
      drain: this.#plan(DRAIN, 'msg/s'),
    };
    const run = async () => {
      const fill = await this.#half(server, 'fill');
      const memory = (residentBytes(server.pid) ?? Number.NaN) / MIB;
      const drain = await this.#half(server, 'drain');
      requireBalance(name, [fill.ledger!, drain.ledger!]);
      return {
        fill: { figure: fill.perSecond, serverCpuUsPerMessage: fill.serverCpuUsPerMessage },
        memory: { figure: memory },
        drain: {
          figure: drain.perSecond,
          serverCpuUsPerMessage: drain.serverCpuUsPerMessage,
          note,
        },
      };
    };
    return this.#bench.measureAll(plans, run, 1);
  }

  /** On a server of its own: what came before it would be in its log. */
  async restart(server: Contending): Promise<void> {
    const { driver } = this.#contender;
    await this.#bench.measure(
      this.#plan(RESTART, 's'),
      async () => {
        await this.#half(server, 'fill');
        const options = driverOptions(server.url, { bodyBytes: BODY_BYTES });
        const { seconds } = await restartSeconds(() => server.restart(), driver, options);
        return { figure: seconds };
      },
      1,
    );
  }
}

async function measure(bench: Bench, contender: Contender): Promise<void> {
  const { name } = contender;
  await bench.attempt(name, async () => {
    const backlog = new Backlog(bench, contender);
    let held = false;
    await contender.with(async (server) => {
      held = await backlog.hold(server);
    });
    if (held) await contender.with((server) => backlog.restart(server));
    else bench.skip(`the restart of ${name}`, 'the measurement before it failed');
  });
}

function sideBySide(rows: readonly Row[]): Table {
  const figures = [FILL, MEMORY, DRAIN, RESTART];
  const cell = (contender: string, figure: string): string => {
    const row = rows.find(
      ({ parameters }) => parameters['contender'] === contender && parameters['figure'] === figure,
    );
    return row === undefined ? '' : figureText(row);
  };
  const lines = [CAPSTAN, ...PEERS.map(({ name }) => name)].flatMap((name) => {
    const row = rows.find(({ parameters }) => parameters['contender'] === name);
    if (row === undefined) return [];
    return [[name, row.durability, ...figures.map((figure) => cell(name, figure))]];
  });
  return {
    title: 'A backlog of waiting messages, side by side',
    headings: ['server', 'durability', ...figures],
    numeric: [2, 3, 4, 5],
    lines,
  };
}

export const scenario: Scenario = {
  name: 'peers-backlog',
  summary: 'A million waiting messages beside Redis Streams, NATS, RabbitMQ, PostgreSQL.',
  when: 'peers',
  run: async (bench) => {
    await measure(bench, capstan(bench, 'websocket', 100));
    for (const peer of PEERS) {
      const missing = peer.missing();
      if (missing === undefined) await measure(bench, contenderOf(bench, peer));
      else bench.skip(`${peer.name}, backlog`, missing);
    }
  },
  tables: (rows) => [sideBySide(rows)],
};
