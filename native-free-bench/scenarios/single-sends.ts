/* One message a request, 64 in flight: HTTP and WebSocket; and HTTP against a bare µWS server that
 * only reads the same body, in the same run. */

import { type Bench, type Scenario, throughputOf } from '../harness/bench.ts';
import { startHello } from '../harness/hello.ts';
import type { Reading } from '../harness/rows.ts';
import { cycleParameters, driverOptions, FSYNC, urlFor } from './standard.ts';

const IN_FLIGHT = 64;
const TARGET_HTTP_PER_SECOND = 50_000;
const TARGET_SOCKET_PER_SECOND = 150_000;
const TARGET_RATIO = 0.6;
const REQUESTS_PER_SECOND_ROUGHLY = 20_000;

function autocannonParameters(bench: Bench, url: string, plainUrl?: string) {
  return {
    options: driverOptions(url),
    connections: IN_FLIGHT,
    plainUrl,
    warmupRequests: Math.round(REQUESTS_PER_SECOND_ROUGHLY * bench.warmupSeconds),
    requests: Math.round(REQUESTS_PER_SECOND_ROUGHLY * bench.seconds),
  };
}

function sends(bench: Bench, driver: 'sqs-json' | 'websocket'): Promise<Reading> {
  return bench.withServer({}, async (server) => {
    const settings = { driver, batch: 1, lanes: IN_FLIGHT, connections: 4 };
    const parameters = cycleParameters(bench, urlFor(driver, server), settings);
    return throughputOf(await bench.load('enqueue', parameters, { serverPid: server.pid }));
  });
}

/** SendMessage and the hello, alike, one after the other. */
async function besideHello(bench: Bench) {
  const send = await bench.withServer({}, async (server) => {
    const parameters = autocannonParameters(bench, server.httpUrl);
    return throughputOf(await bench.load('autocannon-post', parameters, { serverPid: server.pid }));
  });
  const hello = await startHello(bench.scratch);
  try {
    const parameters = autocannonParameters(bench, hello.url, hello.url);
    const report = await bench.load('autocannon-post', parameters, { serverPid: hello.pid });
    const plain = throughputOf(report);
    return { send, plain, ratio: { figure: send.figure / plain.figure } };
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
      () => sends(bench, 'websocket'),
    );
    await bench.measure(
      {
        ...plan,
        name: `SQS SendMessage, ${IN_FLIGHT} in flight, bare connections`,
        parameters: { api: 'sqs-json', client: 'bare connections' },
        target: TARGET_HTTP_PER_SECOND,
      },
      () => sends(bench, 'sqs-json'),
    );
    await bench.measureAll(
      {
        send: {
          ...plan,
          name: `SQS SendMessage, ${IN_FLIGHT} in flight, autocannon`,
          parameters: { api: 'sqs-json', client: 'autocannon' },
          target: TARGET_HTTP_PER_SECOND,
        },
        plain: {
          name: 'bare µWS hello that reads the same body, autocannon',
          parameters: { api: 'hello', client: 'autocannon' },
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
