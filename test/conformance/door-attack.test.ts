/* The door of a real server under input that no honest client sends. After every case the next
 * honest client is answered, at the end memory is back at its level and nothing has been logged as
 * a failure: no thread has died. */

import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RawConnection, rawFetch, rawRequest } from '../support/raw-http.ts';
import { TestServer } from '../support/server.ts';

const MIB = 1024 * 1024;
/** What garbage, caches and the allocator may hold on to. An attack that is not bounded takes many
 *  times as much. */
const MEMORY_SLACK_BYTES = 192 * MIB;

/** In the suite; the environment asks for more, as many as the limit of open files allows. */
const IDLE_CONNECTIONS = Number(process.env['CAPSTAN_TEST_CONNECTIONS'] ?? 2000);
/** Fewer than a listening socket keeps waiting. */
const CONNECTIONS_AT_ONCE = 250;

let server: TestServer;
let residentBytes: number;

/** Files and sockets that the server has open. */
function descriptors(): number {
  return readdirSync(`/proc/${server.pid}/fd`).length;
}

async function residentNow(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
}

function sqs(action: string, body: string, headers: readonly string[] = []): string {
  return rawRequest('POST', '/', body, [
    `X-Amz-Target: AmazonSQS.${action}`,
    'Content-Type: application/x-amz-json-1.0',
    ...headers,
  ]);
}

async function callSqs(action: string, body: string) {
  const connection = await RawConnection.open(server.port);
  await connection.send(sqs(action, body));
  const answer = await connection.answer();
  connection.close();
  return answer!;
}

const QUEUE_URL = 'http://capstan.test/000000000000/victim';

async function expectHonestService(): Promise<void> {
  const sent = await callSqs(
    'SendMessage',
    JSON.stringify({ QueueUrl: QUEUE_URL, MessageBody: 'honest' }),
  );
  expect(sent.status).toBe(200);
  const received = await callSqs(
    'ReceiveMessage',
    JSON.stringify({ QueueUrl: QUEUE_URL, WaitTimeSeconds: 5 }),
  );
  const { Messages } = JSON.parse(received.body) as {
    Messages: { Body: string; ReceiptHandle: string }[];
  };
  expect(Messages.map(({ Body }) => Body)).toEqual(['honest']);
  const [{ ReceiptHandle } = { ReceiptHandle: '' }] = Messages;
  const deleted = await callSqs(
    'DeleteMessage',
    JSON.stringify({ QueueUrl: QUEUE_URL, ReceiptHandle }),
  );
  expect(deleted.status).toBe(200);
}

/** Sends bytes on a connection of their own. Resolves with the answers until the connection was
 *  closed, or `answers` of them. */
async function statuses(bytes: string | Uint8Array, answers: number): Promise<number[]> {
  const connection = await RawConnection.open(server.port);
  const got: number[] = [];
  await connection.send(bytes);
  while (got.length < answers) {
    const answer = await connection.answer();
    if (answer === undefined) break;
    got.push(answer.status);
  }
  connection.close();
  return got;
}

beforeAll(async () => {
  server = await TestServer.start({ args: ['--partitions', '2', '--doors', '2'] });
  expect((await callSqs('CreateQueue', '{"QueueName":"victim"}')).status).toBe(200);
  for (let i = 0; i < 20; i++) {
    await expectHonestService();
    // Whichever door it reaches loads what it needs for that, and for the figures.
    for (const path of ['openapi.json', 'metrics']) {
      const answer = await fetch(`${server.url}/${path}`, { headers: { connection: 'close' } });
      await answer.arrayBuffer();
    }
  }
  residentBytes = await residentNow();
});

afterEach(expectHonestService);

afterAll(async () => {
  expect(await residentNow()).toBeLessThan(residentBytes + MEMORY_SLACK_BYTES);
  expect(server.logLines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  expect(await server.stop()).toBe(0);
  await server.close();
});

describe('a body that is no request', () => {
  const send = { QueueUrl: QUEUE_URL, MessageBody: 'x' };
  it.each([
    ['nothing', ''],
    ['no JSON', '{"QueueUrl"'],
    ['no object', '[]'],
    ['null', 'null'],
    ['a number', '1e999'],
    ['deep nesting', `{"QueueUrl":${'['.repeat(200_000)}`],
    ['deep nesting of objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['a wrong type', JSON.stringify({ ...send, MessageBody: 5 })],
    ['a wrong type of a number', JSON.stringify({ ...send, DelaySeconds: 'soon' })],
    ['a number out of range', JSON.stringify({ ...send, DelaySeconds: 1e300 })],
    ['a fraction', JSON.stringify({ ...send, DelaySeconds: 0.5 })],
    ['a negative number', JSON.stringify({ ...send, DelaySeconds: -1 })],
    ['a control character', JSON.stringify({ ...send, MessageBody: '\u0000' })],
    ['an empty message', JSON.stringify({ ...send, MessageBody: '' })],
    ['attributes that are none', JSON.stringify({ ...send, MessageAttributes: 'x' })],
    ['no queue', JSON.stringify({ MessageBody: 'x' })],
    ['a queue that is none', JSON.stringify({ ...send, QueueUrl: 'http://x/1/none' })],
    ['__proto__ for a queue', '{"__proto__":{"QueueUrl":"victim","MessageBody":"x"}}'],
  ])('(%s) is refused in the words of SQS', async (_name, body) => {
    const answer = await callSqs('SendMessage', body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toHaveProperty('__type');
    expect(answer.headers.get('x-amzn-query-error')).toMatch(/;Sender$/);
  });

  it('in invalid UTF-8 is refused', async () => {
    const head = `{"QueueUrl":"${QUEUE_URL}","MessageBody":"`;
    const body = Buffer.concat([Buffer.from(head), Buffer.of(0xff, 0xc0), Buffer.from('"}')]);
    const connection = await RawConnection.open(server.port);
    const request = rawRequest('POST', '/', '', [
      'X-Amz-Target: AmazonSQS.SendMessage',
      `Content-Length: ${body.length}`,
    ]);
    await connection.send(Buffer.concat([Buffer.from(request), body]));
    expect((await connection.answer())?.status).toBe(400);
    connection.close();
  });

  it('for an action that there is not is refused', async () => {
    for (const action of ['Nothing', '', '__proto__', 'constructor', 'x'.repeat(3000)]) {
      const answer = await callSqs(action, '{}');
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
  });

  it.each(['Action=Nothing', 'Action=', 'x', 'Action=SendMessage&MessageBody=%ff%', '&&&=&'])(
    '(the form %s) is refused in XML',
    async (form) => {
      const answer = await rawFetch(server.port, 'POST', '/', form, [
        'Content-Type: application/x-www-form-urlencoded',
      ]);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.body).toContain('<ErrorResponse');
    },
  );
});

describe('a body that is too long', () => {
  it.each(['1073741824', '9000000', '99999999'])(
    '(%s bytes declared) is refused before it comes',
    async (length) => {
      const connection = await RawConnection.open(server.port);
      await connection.send(sqs('SendMessage', '', [`Content-Length: ${length}`]));
      const answer = await connection.answer();
      connection.close();
      expect(answer?.headers.get('x-amzn-query-error')).toMatch(/;Sender$/);
      expect(JSON.parse(answer!.body)).toHaveProperty('__type');
    },
  );

  it('is refused wherever it comes from, at the same time', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const floods = Array.from({ length: 20 }, async () => {
      const connection = await RawConnection.open(server.port);
      await connection.send(sqs('SendMessage', '', ['Transfer-Encoding: chunked']));
      for (let sent = 0; sent < 200 && !connection.ended; sent++) {
        await Promise.race([connection.send(chunk), connection.end()]);
      }
      await connection.end();
    });
    await Promise.all(floods);
  });
});

describe('framing that two servers could read in two ways', () => {
  const smuggled = rawRequest('PUT', '/v1/queues/smuggled');
  const post = 'POST /v1/queues/victim/purge HTTP/1.1\r\nHost: a\r\n';

  afterEach(async () => {
    expect((await rawFetch(server.port, 'GET', '/v1/queues/smuggled')).status).toBe(404);
  });

  it.each([
    [
      'a length and chunks',
      `${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'chunks and a length',
      `${post}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
    ],
    ['two lengths', `${post}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n`],
    ['a negative length', `${post}Content-Length: -1\r\n\r\n`],
    ['a signed length', `${post}Content-Length: +0\r\n\r\n`],
    ['a list of lengths', `${post}Content-Length: 0, 0\r\n\r\n`],
    ['a hexadecimal length', `${post}Content-Length: 0x0\r\n\r\n`],
    ['a length beyond all', `${post}Content-Length: ${'9'.repeat(30)}\r\n\r\n`],
    ['a chunk without a size', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a chunk beyond all', `${post}Transfer-Encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n`],
  ])('(%s) ends the connection', async (_name, framing) => {
    const got = await statuses(framing + smuggled, 2);
    expect(got.length).toBeLessThanOrEqual(1);
    expect(got.filter((status) => status < 400)).toEqual([]);
  });
});

describe('heads that are none', () => {
  it.each([
    ['of TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ['without end', Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(200_000)}`)],
    ['of 5,000 headers', Buffer.from(rawRequest('GET', '/', '', Array(5000).fill('A: b')))],
    ['of zeros', Buffer.alloc(100_000)],
    ['without lines', Buffer.from('x'.repeat(100_000))],
    ['of line feeds', Buffer.from('\r\n'.repeat(50_000))],
  ])('(%s) are not answered as requests', async (_name, bytes) => {
    const connection = await RawConnection.open(server.port);
    await Promise.race([connection.send(bytes), connection.end()]);
    // Whatever comes after it on this connection is no request either.
    await Promise.race([connection.send(rawRequest('GET', '/healthz')), connection.end()]);
    await expectHonestService();
    connection.close();
  });

  it('with a target as long as a head may be are answered', async () => {
    const answer = await rawFetch(server.port, 'GET', `/v1/queues/${'x'.repeat(3000)}`);
    expect(answer.status).toBe(404);
  });
});

describe('many at once', () => {
  it(`${IDLE_CONNECTIONS} connections that say nothing keep nobody out`, async () => {
    const before = descriptors();
    const idle: RawConnection[] = [];
    while (idle.length < IDLE_CONNECTIONS) {
      const some = Array.from({ length: CONNECTIONS_AT_ONCE }, () =>
        RawConnection.open(server.port),
      );
      idle.push(...(await Promise.all(some)));
    }
    const began = performance.now();
    await expectHonestService();
    console.log(`${idle.length} idle: an honest client took ${performance.now() - began} ms`);
    expect(descriptors()).toBeGreaterThan(IDLE_CONNECTIONS);
    for (const each of idle) each.close();
    while (descriptors() > before + CONNECTIONS_AT_ONCE) await sleep(10);
  });

  it('500 clients that leave in the middle of a request leave nothing behind', async () => {
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(
        Array.from({ length: 100 }, () => RawConnection.open(server.port)),
      );
      await Promise.all(
        clients.map((each, at) =>
          each.send(
            at % 2 === 0
              ? sqs('SendMessage', '', ['Content-Length: 100000']) + 'x'.repeat(50_000)
              : sqs('ReceiveMessage', `{"QueueUrl":"${QUEUE_URL}","WaitTimeSeconds":20}`),
          ),
        ),
      );
      for (const each of clients) each.close();
    }
  });

  it('a client that closes its half after asking does no harm', async () => {
    const connection = await RawConnection.open(server.port);
    await connection.send(rawRequest('GET', '/healthz'));
    connection.half();
    await connection.end();
  });

  it('readers that do not read are held to a bound', async () => {
    const body = 'y'.repeat(1_000_000);
    await rawFetch(server.port, 'PUT', '/v1/queues/large');
    for (let i = 0; i < 4; i++) {
      await rawFetch(server.port, 'POST', '/v1/queues/large/messages', body);
    }
    const readers = await Promise.all(
      Array.from({ length: 20 }, () => RawConnection.open(server.port)),
    );
    for (const each of readers) {
      each.pause();
      await each.send(rawRequest('GET', '/v1/queues/large/messages?max=4'));
    }
    await expectHonestService();
    for (const each of readers) each.close();
    await rawFetch(server.port, 'DELETE', '/v1/queues/large');
  });
});

it('what comes too slowly is cut off', { timeout: 120_000 }, async () => {
  const slow = await Promise.all(Array.from({ length: 3 }, () => RawConnection.open(server.port)));
  const [head, body, idle] = slow as [RawConnection, RawConnection, RawConnection];
  await head.send('POST / HTTP/1.1\r\nHo');
  await body.send(sqs('SendMessage', '', ['Content-Length: 1000']));
  await idle.send(rawRequest('GET', '/healthz'));
  await idle.answer();
  await Promise.all(slow.map((each) => each.end()));
});

it('who waits for messages longer than that is not', { timeout: 120_000 }, async () => {
  const answer = await rawFetch(server.port, 'POST', '/v1/queues/victim/receive?waitMs=15000');
  expect(answer).toMatchObject({ status: 200, body: '{"messages":[]}' });
});
