/* One message a request, 64 in flight: HTTP and WebSocket; and HTTP against a bare µWS server that
 * only reads the same body, in short turns, because what both are measured by changes. */

import { type Bench, type Scenario, throughputOf } from '../harness/bench.ts';
import { startHello } from '../harness/hello.ts';
import type { LoadReport } from '../harness/load.ts';
import { medianOf } from '../harness/median.ts';
import type { Reading } from '../harness/rows.ts';
import {
  autocannonReading,
  cycleParameters,
  drainOver,
  FSYNC,
  remoteEnqueueReading,
  requestCounts,
} from './standard.ts';

const IN_FLIGHT = 64;
const TARGET_HTTP_PER_SECOND = 50_000;
const TARGET_SOCKET_PER_SECOND = 150_000;
const TARGET_RATIO = 0.6;
const REQUESTS_PER_SECOND_ROUGHLY = 20_000;
const TURNS = 9;
const QUICK_TURNS = 2;
const TURN_WARMUP_SECONDS = 0.4;
const TURN_SHARE = 1 / 3; // of a measurement's time
const SENDS = { batch: 1, lanes: IN_FLIGHT, connections: 4 };

export function singleSends(bench: Bench, driver: 'websocket' | 'sqs-json'): Promise<Reading> {
  return remoteEnqueueReading(bench, { ...SENDS, driver });
}

/** The two in turns, over the same number of connections, with the same requests. */
async function besideHello(bench: Bench) {
  const hello = await startHello(bench.scratch);
  try {
    return await bench.withServer({}, async (server) => {
      const settings = { driver: 'sqs-json', batch: 1, lanes: IN_FLIGHT } as const;
      const count = bench.quick ? QUICK_TURNS : TURNS;
      const turn = { warmupSeconds: TURN_WARMUP_SECONDS, seconds: bench.seconds * TURN_SHARE };
      const send = (): Promise<LoadReport> =>
        bench.load(
          'enqueue',
          {
            ...cycleParameters(bench, server.httpUrl, settings),
            ...turn,
            drain: drainOver(server),
          },
          { serverPid: server.pid },
        );
      const plain = (): Promise<LoadReport> =>
        bench.load(
          'enqueue',
          { ...cycleParameters(bench, hello.url, settings), ...turn, driver: 'hello' },
          { serverPid: hello.pid },
        );
      const pairs: { send: LoadReport; plain: LoadReport }[] = [];
      while (pairs.length < count) pairs.push({ send: await send(), plain: await plain() });
      const ratioOf = (pair: (typeof pairs)[number]) => pair.send.perSecond / pair.plain.perSecond;
      const median = medianOf(pairs, ratioOf)!;
      const ratios = pairs.map((pair) => ratioOf(pair).toFixed(2)).join(', ');
      return {
        send: throughputOf(median.send),
        plain: throughputOf(median.plain),
        ratio: { figure: ratioOf(median), note: `in turns: ${ratios}` },
      };
    });
  } finally {
    await hello.stop();
  }
}

export const scenario: Scenario = {
  name: 'single-sends',
  summary: 'One message a request, 64 in flight: HTTP, WebSocket, and against a bare µWS hello.',
  run: async (bench) => {
    const plan = { durability: FSYNC, unit: 'msg/s', better: 'more' } as const;
    await bench.measure(
      {
        ...plan,
        name: `WebSocket, single sends, ${IN_FLIGHT} in flight`,
        parameters: { api: 'websocket' },
        target: TARGET_SOCKET_PER_SECOND,
      },
      () => singleSends(bench, 'websocket'),
    );
    await bench.measure(
      {
        ...plan,
        name: `SQS SendMessage, ${IN_FLIGHT} in flight, autocannon`,
        parameters: { api: 'sqs-json', client: 'autocannon' },
        target: TARGET_HTTP_PER_SECOND,
      },
      () =>
        autocannonReading(bench, 'autocannon-post', {
          ...requestCounts(bench, REQUESTS_PER_SECOND_ROUGHLY),
          batch: 1,
          connections: IN_FLIGHT,
        }),
    );
    await bench.measureAll(
      {
        send: {
          ...plan,
          name: `SQS SendMessage, ${IN_FLIGHT} in flight, bare connections`,
          parameters: { api: 'sqs-json', client: 'bare connections' },
          target: TARGET_HTTP_PER_SECOND,
        },
        plain: {
          name: 'bare µWS hello that reads the same body, bare connections',
          parameters: { api: 'hello', client: 'bare connections' },
          durability: '-',
          unit: 'req/s',
          better: 'more',
        },
        ratio: {
          name: 'SQS SendMessage against the bare µWS hello',
          parameters: { api: 'ratio' },
          durability: FSYNC,
          unit: 'of its requests',
          better: 'more',
          target: TARGET_RATIO,
        },
      },
      () => besideHello(bench),
    );
  },
};
