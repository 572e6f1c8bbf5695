/* Other queue servers beside Capstan: the same loads, the same disk, in one run, each in the
 * batches and with the durability that it is run with. Where a peer is ahead, the ratio says so. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Chart } from '../charts/chart.ts';
import type { DriverName } from '../drivers/drivers.ts';
import { type Bench, type Scenario, throughputOf } from '../harness/bench.ts';
import type { Reading, Row } from '../harness/rows.ts';
import type { Peer, RunningPeer } from '../peers/peer.ts';
import { postgresql } from '../peers/postgresql.ts';
import { rabbitmq } from '../peers/rabbitmq.ts';
import { SMALL_PEERS } from '../peers/small-peers.ts';
import { driverOptions, FSYNC } from './standard.ts';

const PEERS: readonly Peer[] = [...SMALL_PEERS, postgresql, rabbitmq];
const STEADY_PER_SECOND = 2_000;
const SINGLE_LANES = 64;
const BATCH_LANES = 16;

/** Something to measure: Capstan through one of its doors, or a peer. */
interface Contender {
  readonly name: string;
  readonly driver: DriverName;
  readonly durability: string;
  readonly note?: string | undefined;
  readonly bestBatch: number;
  /** Runs `use` against a fresh server. */
  with(use: (server: RunningPeer) => Promise<Reading>): Promise<Reading>;
}

function capstan(bench: Bench, driver: 'websocket' | 'sqs-json', bestBatch: number): Contender {
  return {
    name: driver === 'websocket' ? 'Capstan' : 'Capstan over SQS',
    driver,
    durability: FSYNC,
    bestBatch,
    with: (use) =>
      bench.withServer({}, ({ pid, socketUrl, httpUrl }) =>
        use({
          pid,
          url: driver === 'websocket' ? socketUrl : httpUrl,
          close: () => Promise.resolve(),
        }),
      ),
  };
}

function contenderOf(bench: Bench, peer: Peer): Contender {
  return {
    ...peer,
    with: async (use) => {
      mkdirSync(bench.scratch, { recursive: true });
      const directory = mkdtempSync(join(bench.scratch, 'peer-'));
      try {
        const server = await peer.start(directory);
        try {
          return await use(server);
        } finally {
          await server.close();
        }
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

function cycle(bench: Bench, contender: Contender, batch: number): Promise<Reading> {
  const lanes = batch === 1 ? SINGLE_LANES : BATCH_LANES;
  return contender.with(async ({ url, pid }) => {
    const parameters = {
      driver: contender.driver,
      options: driverOptions(url, { batch, connections: 4 }),
      senders: lanes,
      receivers: lanes,
      openMax: lanes * batch * 4,
      warmupSeconds: bench.warmupSeconds,
      seconds: bench.seconds,
    };
    const reading = throughputOf(await bench.load('cycle', parameters, { serverPid: pid }));
    return { ...reading, note: contender.note };
  });
}

function latency(bench: Bench, contender: Contender, figure: string): Promise<Reading> {
  return contender.with(async ({ url, pid }) => {
    const parameters = {
      driver: contender.driver,
      options: driverOptions(url, { connections: 2 }),
      messagesPerSecond: STEADY_PER_SECOND,
      senders: SINGLE_LANES,
      receivers: 4,
      receiveMax: 10,
      warmupSeconds: Math.max(1, bench.warmupSeconds),
      seconds: bench.seconds,
    };
    const report = await bench.load('latency', parameters, { serverPid: pid });
    return { figure: report.latencies[figure]!.quantileMs(0.99), note: contender.note };
  });
}

async function measureContender(bench: Bench, contender: Contender): Promise<void> {
  const { name, durability, bestBatch } = contender;
  const plan = (what: string) => ({
    durability,
    parameters: { contender: name, what },
  });
  for (const batch of [1, bestBatch]) {
    await bench.measure(
      {
        ...plan(batch === 1 ? 'single cycle' : 'batch cycle'),
        name: `${name}, batches of ${batch}, full cycle`,
        unit: 'msg/s',
        better: 'more',
      },
      () => cycle(bench, contender, batch),
    );
  }
  for (const figure of ['enqueue', 'dequeue']) {
    await bench.measure(
      {
        ...plan(figure),
        name: `${name}, 2,000 msg/s: p99 ${figure}`,
        unit: 'ms',
        better: 'less',
      },
      () => latency(bench, contender, figure),
    );
  }
}

/** How many times as much as the peer Capstan does; below 1 the peer is ahead. */
async function tellRatios(bench: Bench): Promise<void> {
  const figureOf = (contender: string, what: string) =>
    bench.rows.find(
      ({ parameters }) => parameters['contender'] === contender && parameters['what'] === what,
    )?.figure;
  for (const { name, driver, durability } of PEERS) {
    const own = figureOf(driver === 'sqs-json' ? 'Capstan over SQS' : 'Capstan', 'batch cycle');
    const other = figureOf(name, 'batch cycle');
    if (own === undefined || other === undefined) continue;
    await bench.measure(
      {
        name: `Capstan against ${name}, full cycle in batches`,
        parameters: { what: 'ratio' },
        durability: `${FSYNC} against ${durability}`,
        unit: 'times',
        better: 'more',
      },
      () => Promise.resolve({ figure: own / other }),
      1,
    );
  }
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
    await tellRatios(bench);
  },
  charts,
};
