import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RECEIPT_HANDLE_CHARS } from '../../../../src/broker/receipt-handle.ts';
import { PROBLEM_CONTENT_TYPE } from '../../../../src/door/rest/problem.ts';
import * as schemas from '../../../../src/door/rest/schemas.ts';
import { type DoorOnFake, openDoorOnFake } from '../../../support/door-on-fake.ts';
import { rawFetch } from '../../../support/raw-http.ts';

let door: DoorOnFake;

beforeAll(async () => {
  door = await openDoorOnFake();
});

afterAll(async () => {
  await door[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

async function call(method: string, path: string, body?: string | Uint8Array): Promise<Answer> {
  const answer = await fetch(door.url + path, { method, ...(body === undefined ? {} : { body }) });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    json: text === '' ? undefined : JSON.parse(text),
  };
}

function problem(answer: Answer): z.output<typeof schemas.PROBLEM> {
  expect(answer.headers.get('content-type')).toBe(PROBLEM_CONTENT_TYPE);
  const read = schemas.PROBLEM.parse(answer.json);
  expect(read.status).toBe(answer.status);
  return read;
}

beforeEach(async () => {
  for (const { name } of door.service.listQueues({ max: 1000 }))
    await door.service.deleteQueue(name);
  await door.service.createQueue('orders', {});
});

describe('a queue over REST', () => {
  it('is created once, and found again', async () => {
    const body = JSON.stringify({ visibilityTimeoutMs: 5000, tags: { team: 'a' } });
    const created = await call('PUT', '/v1/queues/new', body);
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe('/v1/queues/new');
    expect(schemas.QUEUE.parse(created.json)).toMatchObject({
      attributes: { visibilityTimeoutMs: 5000 },
      tags: { team: 'a' },
    });
    expect((await call('PUT', '/v1/queues/new', body)).status).toBe(200);
    const list = schemas.QUEUE_LIST.parse((await call('GET', '/v1/queues?prefix=n')).json);
    expect(list.queues.map(({ name }) => name)).toEqual(['new']);
    const shown = await call('GET', '/v1/queues/new');
    expect(schemas.QUEUE_DETAIL.parse(shown.json).oldestSentAtMs).toBeNull();
  });

  it('is deleted without a word', async () => {
    const answer = await call('DELETE', '/v1/queues/orders');
    expect(answer).toMatchObject({ status: 204, json: undefined });
    expect(answer.headers.has('content-type')).toBe(false);
    expect(problem(await call('DELETE', '/v1/queues/orders'))).toMatchObject({
      status: 404,
      code: 'CAPSTAN_QUEUE_DOES_NOT_EXIST',
    });
  });
});

describe('a message over REST', () => {
  it('goes in as it is, comes out, and is deleted', async () => {
    const bytes = Uint8Array.of(0, 255, 1, 254);
    const sent = await call('POST', '/v1/queues/orders/messages', bytes);
    expect(sent.status).toBe(201);
    const { messageId } = schemas.SENT.parse(sent.json);
    const received = await call('POST', '/v1/queues/orders/receive?max=10');
    const [message] = schemas.RECEIVED.parse(received.json).messages;
    expect(message).toMatchObject({
      messageId,
      bodyBase64: Buffer.from(bytes).toString('base64'),
      receiveCount: 1,
    });
    const handle = encodeURIComponent(message!.receiptHandle);
    const path = `/v1/queues/orders/messages/${handle}`;
    expect((await call('POST', `${path}/visibility?timeoutMs=1000`)).status).toBe(204);
    expect((await call('DELETE', path)).status).toBe(204);
  });

  it('goes in with others, each with a result of its own', async () => {
    const messages = [{ body: 'a' }, { bodyBase64: 'AP8=' }];
    const sent = await call(
      'POST',
      '/v1/queues/orders/messages/batch',
      JSON.stringify({ messages }),
    );
    expect(sent.status).toBe(200);
    expect(schemas.SENT_BATCH.parse(sent.json).results).toHaveLength(2);
    const peeked = await call('GET', '/v1/queues/orders/messages?max=5');
    const bodies = schemas.PEEKED_LIST.parse(peeked.json).messages;
    expect(bodies.map(({ body, bodyBase64 }) => body ?? bodyBase64)).toEqual(['a', 'AP8=']);
  });

  it('whose partition is away is refused for now, and says when to try again', async () => {
    door.service.entryError = 'CAPSTAN_PARTITION_RESTARTING';
    const answer = await call('POST', '/v1/queues/orders/messages', 'x');
    door.service.entryError = undefined;
    expect(problem(answer)).toMatchObject({ status: 503, retryable: true });
    expect(answer.headers.get('retry-after')).toBe('1');
  });
});

describe('a request that is wrong', () => {
  it.each([
    ['GET', '/v1/nothing', undefined, 404, 'CAPSTAN_RESOURCE_NOT_FOUND'],
    ['GET', '/nothing', undefined, 404, 'CAPSTAN_RESOURCE_NOT_FOUND'],
    ['GET', '/favicon.ico', undefined, 404, 'CAPSTAN_RESOURCE_NOT_FOUND'],
    ['GET', '/v1/queues/none', undefined, 404, 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
    ['GET', '/v1/queues/%ff', undefined, 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['GET', '/v1/queues?limit=1', undefined, 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['GET', '/v1/queues?max=0', undefined, 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['GET', '/v1/queues?__proto__=1', undefined, 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['PUT', '/v1/queues/x', '{', 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['PUT', '/v1/queues/x', '[]', 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['PUT', '/v1/queues/x', '{"fifo":"yes"}', 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['PUT', '/v1/queues/x', '{"__proto__":{"fifo":true}}', 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['PUT', '/v1/queues/x', '{"visibilityTimeoutMs":1e400}', 400, 'CAPSTAN_INVALID_ARGUMENT'],
    ['PUT', '/v1/queues/x', Buffer.of(0xff, 0xfe), 400, 'CAPSTAN_INVALID_ARGUMENT'],
    [
      'POST',
      '/v1/queues/orders/messages/batch',
      '{"messages":[]}',
      400,
      'CAPSTAN_INVALID_ARGUMENT',
    ],
    ['PUT', '/v1/queues/x', '['.repeat(100_000), 400, 'CAPSTAN_INVALID_ARGUMENT'],
  ] as const)('%s %s is answered with a problem', async (method, path, body, status, code) => {
    expect(problem(await call(method, path, body))).toMatchObject({ status, code });
  });

  it('for its method is told which there are', async () => {
    const answer = await call('POST', '/v1/queues/orders');
    expect(problem(answer)).toMatchObject({ status: 405 });
    expect(answer.headers.get('allow')?.split(', ').toSorted()).toEqual([
      'DELETE',
      'GET',
      'OPTIONS',
      'PATCH',
      'PUT',
    ]);
    const options = await call('OPTIONS', '/v1/queues/orders');
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe(answer.headers.get('allow'));
  });

  it('for its length is answered with a problem', async () => {
    const answer = await rawFetch(door.port, 'POST', '/v1/queues/orders/messages', '', [
      'Content-Length: 1073741824',
    ]);
    expect(JSON.parse(answer.body)).toMatchObject({ status: 413, code: 'CAPSTAN_BATCH_TOO_LARGE' });
  });

  it('as a receipt handle is answered with a problem', async () => {
    const handle = 'x'.repeat(RECEIPT_HANDLE_CHARS);
    const answer = await call('DELETE', `/v1/queues/orders/messages/${handle}`);
    expect(problem(answer).code).toBe('CAPSTAN_RECEIPT_HANDLE_INVALID');
  });
});

it('HEAD says what GET would, without the body', async () => {
  const answer = await rawFetch(door.port, 'HEAD', '/v1/queues');
  expect(answer.status).toBe(200);
  expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(0);
});
