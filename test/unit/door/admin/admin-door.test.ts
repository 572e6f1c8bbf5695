import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DoorOnFake, openDoorOnFake } from '../../../support/door-on-fake.ts';

let door: DoorOnFake;

beforeAll(async () => {
  door = await openDoorOnFake();
  const queue = await door.service.createQueue('orders', {});
  await door.service.send(queue, [{ body: 'one' }, { body: 'two' }]);
});

afterAll(async () => {
  await door[Symbol.asyncDispose]();
});

describe('/healthz', () => {
  it('answers 200 while every partition runs, and 503 while one does not', async () => {
    const well = await fetch(`${door.url}/healthz`);
    expect(well.status).toBe(200);
    expect(await well.json()).toMatchObject({
      state: 'running',
      version: '1.2.3',
      durability: 'fsync',
      uptimeMs: 5000,
      partitions: [{ partition: 0, state: 'running', restarts: 0 }, { partition: 1 }],
    });
    door.board.setState(1, 'restarting');
    const ill = await fetch(`${door.url}/healthz`);
    door.board.setState(1, 'running');
    expect(ill.status).toBe(503);
    expect(await ill.json()).toMatchObject({ state: 'restarting' });
  });

  it('is not cached, and takes GET only', async () => {
    expect((await fetch(`${door.url}/healthz`)).headers.get('cache-control')).toBe('no-store');
    const posted = await fetch(`${door.url}/healthz`, { method: 'POST', body: '' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
  });
});

describe('/metrics', () => {
  it('shows queues, partitions and doors', async () => {
    door.board.setGauge(1, 'sent', 7);
    const answer = await fetch(`${door.url}/metrics`);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    expect(text).toContain('capstan_queue_messages{queue="orders",state="visible"} 2');
    expect(text).toContain('capstan_partition_messages_sent_total{partition="1"} 7');
    expect(text).toContain('capstan_info{version="1.2.3",durability="fsync"} 1');
    expect(text).toMatch(/capstan_door_requests_total\{door="rest"\} \d/);
  });
});

describe('the dashboard', () => {
  it('is what a browser gets at /, and nobody else', async () => {
    const page = await fetch(door.url, { headers: { accept: 'text/html,*/*' } });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('<title>Capstan</title>');
    expect((await fetch(door.url)).status).toBe(404);
  });

  it('finds all it shows in /status.json', async () => {
    const status: unknown = await (await fetch(`${door.url}/status.json`)).json();
    expect(status).toMatchObject({
      health: { version: '1.2.3' },
      queues: [{ name: 'orders', visible: 2, inFlight: 0, delayed: 0, deadLetterQueue: null }],
      queuesTotal: 1,
      partitions: [{ partition: 0, logBytes: 0, spaceLow: false }, { partition: 1 }],
      doors: [{ door: 'sqs' }, { door: 'socket' }, { door: 'rest' }],
    });
  });
});

describe('SQS beside it', () => {
  it('is served at / and at the URL of a queue', async () => {
    for (const path of ['/?Action=ListQueues', '/000000000000/orders?Action=GetQueueAttributes']) {
      const answer = await fetch(door.url + path, { headers: { accept: 'text/html' } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toContain('xml');
    }
    const json = await fetch(door.url, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.ListQueues' },
      body: '{}',
    });
    expect(json.status).toBe(200);
  });

  it('refuses in its own words', async () => {
    const answer = await fetch(door.url, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.SendMessage' },
      body: 'x'.repeat(5 * 1024 * 1024),
    });
    expect(answer.headers.has('x-amzn-query-error')).toBe(true);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });
});
