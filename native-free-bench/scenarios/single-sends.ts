/* One message a request, 64 in flight: HTTP and WebSocket; and HTTP against a bare µWS server that
 * only reads the same body, in the same run. */

import { type Bench, type Scenario, throughputOf } from '../harness/bench.ts';
import { startHello } from '../harness/hello.ts';
import type { Reading } from '../harness/rows.ts';
import {
  autocannonReading,
  cycleParameters,
  FSYNC,
  remoteEnqueueReading,
  requestCounts,
} from './standard.ts';

const IN_FLIGHT = 64;
const TARGET_HTTP_PER_SECOND = 50_000;
const TARGET_SOCKET_PER_SECOND = 150_000;
const TARGET_RATIO = 0.6;
const REQUESTS_PER_SECOND_ROUGHLY = 20_000;
const SENDS = { batch: 1, lanes: IN_FLIGHT, connections: 4 };

export function singleSends(bench: Bench, driver: 'websocket' | 'sqs-json'): Promise<Reading> {
  return remoteEnqueueReading(bench, { ...SENDS, driver });
}

/** The hello over the same connections, with the same requests as SendMessage. */
async function hello(bench: Bench): Promise<Reading> {
  const server = await startHello(bench.scratch);
  try {
    const settings = { driver: 'sqs-json', batch: 1, lanes: IN_FLIGHT } as const;
    const parameters = {
      ...cycleParameters(bench, server.url, settings),
      driver: 'hello',
    } as const;
    return throughputOf(await bench.load('enqueue', parameters, { serverPid: server.pid }));
  } finally {
    await server.stop();
  }
}

/** SendMessage and the hello, one after the other. */
async function besideHello(bench: Bench) {
  const send = await singleSends(bench, 'sqs-json');
  const plain = await hello(bench);
  return { send, plain, ratio: { figure: send.figure / plain.figure } };
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
