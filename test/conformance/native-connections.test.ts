/* What happens to messages when those who hold them go: a consumer that is killed, a connection
 * that breaks, a server that is killed. Over real processes and sockets. */

import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Broker } from '../../src/client/broker.ts';
import { builtClient } from '../support/built-package.ts';
import { TestServer } from '../support/server.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function startServer(): Promise<TestServer> {
  const server = await TestServer.start({ args: ['--partitions', '2', '--doors', '1'] });
  cleanups.push(() => server.close());
  return server;
}

async function connected(port: number): Promise<Broker> {
  const { connect } = await builtClient();
  const broker = await connect(`ws://127.0.0.1:${port}`, { reconnectBaseMs: 10 });
  cleanups.push(() => broker.close());
  return broker;
}

/** Receives everything and waits to be killed. */
const HOARDER = `
  import { connect } from 'capstan/client';
  const broker = await connect(process.argv[1]);
  const held = [];
  for await (const message of broker.queue('orders').consume({ prefetch: 1000 })) {
    held.push(message);
    if (held.length === 1000) process.stdout.write('full');
  }
`;

/** Passes connections on to a port, and cuts them when it is told to. */
class Cutter {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Bytes from clients that go through before everything is cut; Infinity: never. */
  budget = Infinity;
  cuts = 0;

  constructor(port: number) {
    this.#server = createServer((client) => {
      const upstream = connectTcp(port, '127.0.0.1');
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
      }
      client.on('data', (bytes) => {
        this.budget -= bytes.length;
        if (this.budget > 0) upstream.write(bytes);
        else this.cut();
      });
      upstream.on('data', (bytes) => client.write(bytes));
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as { port: number }).port;
  }

  cut(): void {
    this.cuts++;
    this.budget = Infinity;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function cutter(port: number): Promise<{ cutter: Cutter; port: number }> {
  const proxy = new Cutter(port);
  cleanups.push(() => proxy.close());
  return { cutter: proxy, port: await proxy.listen() };
}

describe('a consumer that is killed', () => {
  it('with 1,000 messages in hand: others handle them all, each after its deadline', async () => {
    const server = await startServer();
    const broker = await connected(server.port);
    const visibilityTimeoutMs = 3_000;
    const queue = await broker.createQueue('orders', { visibilityTimeoutMs });
    await queue.sendBatch(Array.from({ length: 1000 }, (_, i) => ({ body: `${i}` })));
    const url = `ws://127.0.0.1:${server.port}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', HOARDER, url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    cleanups.push(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    const early = await queue.receive({ max: 1000 });
    expect(early).toEqual([]);
    const handled = new Map<string, { count: number; heldMs: number }>();
    const consumer = queue.consume(
      (message) => {
        const heldMs = Date.now() - message.firstReceivedAtMs;
        handled.set(message.text(), { count: message.receiveCount, heldMs });
      },
      { concurrency: 50 },
    );
    await expect.poll(() => handled.size, { timeout: 30_000 }).toBe(1000);
    await consumer.stop();
    const all = [...handled.values()];
    expect(all.every(({ count }) => count === 2)).toBe(true);
    // Clocks of one machine: a message is never seen before its deadline.
    expect(Math.min(...all.map(({ heldMs }) => heldMs))).toBeGreaterThanOrEqual(
      visibilityTimeoutMs - 5,
    );
  }, 60_000);
});

describe('a connection that breaks in the middle of a pipelined batch', () => {
  it('loses nothing, and enqueues nothing twice that has an id', async () => {
    const server = await startServer();
    const { cutter: proxy, port } = await cutter(server.port);
    const broker = await connected(port);
    const queue = await broker.createQueue('orders.fifo', { fifo: true });
    const states: string[] = [];
    broker.onStateChange((state) => void states.push(state));
    const total = 2000;
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < total; i += 20) {
      // Not all in one turn: several batches are under way when it breaks.
      if (i % 400 === 0) proxy.budget = 9_000;
      const batch = Array.from({ length: 20 }, (_, j) => ({
        body: `${i + j}`,
        groupId: `${(i + j) % 5}`,
        deduplicationId: `${i + j}`,
      }));
      sends.push(queue.sendBatch(batch));
      if (i % 60 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const results = (await Promise.all(sends)).flat() as { error: unknown }[];
    expect(results.every(({ error }) => error === undefined)).toBe(true);
    expect(proxy.cuts).toBeGreaterThan(0);
    expect(states).toContain('reconnecting');
    const bodies: string[] = [];
    for (;;) {
      const messages = await queue.receive({ max: 1000, waitMs: 200 });
      if (messages.length === 0) break;
      bodies.push(...messages.map((message) => message.text()));
      await queue.deleteBatch(messages);
    }
    expect(bodies.length).toBe(total);
    expect(new Set(bodies).size).toBe(total);
    for (let group = 0; group < 5; group++) {
      const numbers = bodies.map(Number).filter((number) => number % 5 === group);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  }, 60_000);

  it('loses nothing without ids either', async () => {
    const server = await startServer();
    const { cutter: proxy, port } = await cutter(server.port);
    const broker = await connected(port);
    const queue = await broker.createQueue('orders');
    proxy.budget = 20_000;
    const sends = Array.from({ length: 300 }, async (_, i) => {
      if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      return queue.send({ body: `${i}`, groupId: 'x'.repeat(100) });
    });
    await Promise.all(sends);
    expect(proxy.cuts).toBe(1);
    const seen = new Set<string>();
    while (seen.size < 300) {
      const messages = await queue.receive({ max: 1000, waitMs: 10_000 });
      for (const message of messages) seen.add(message.text());
      await queue.deleteBatch(messages);
    }
    expect(seen.size).toBe(300);
  }, 60_000);
});

describe('a server with a token', () => {
  it('lets those in that bring it, and no others', async () => {
    const server = await TestServer.start({ args: ['--token', 'secret'] });
    cleanups.push(() => server.close());
    const { connect } = await builtClient();
    const url = `ws://127.0.0.1:${server.port}`;
    await expect(connect(url)).rejects.toMatchObject({ code: 'CAPSTAN_UNAUTHORIZED' });
    const broker = await connect(url, { token: 'secret' });
    cleanups.push(() => broker.close());
    expect(await broker.listQueues()).toEqual([]);
  }, 60_000);

  it('refuses pages of other sites, which without one could use a visitor', async () => {
    const server = await startServer();
    const upgrade = (origin: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = {
          origin,
          upgrade: 'websocket',
          connection: 'upgrade',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        };
        const sent = request(`${server.url}/v1/ws`, { headers });
        sent.on('response', (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        sent.on('upgrade', (response, socket) => {
          socket.destroy();
          resolve(response.statusCode);
        });
        sent.on('error', reject);
        sent.end();
      });
    expect(await upgrade('https://elsewhere.example')).toBe(403);
    expect(await upgrade('null')).toBe(403);
    expect(await upgrade('http://127.0.0.1:3000')).toBe(101);
  }, 60_000);
});

describe('a server that is killed', () => {
  it('finds its clients again when it is back: sends go on, consumers go on', async () => {
    const server = await startServer();
    const broker = await connected(server.port);
    const queue = await broker.createQueue('orders', { visibilityTimeoutMs: 1_000 });
    const handled = new Set<string>();
    const consumer = queue.consume((message) => void handled.add(message.text()), {
      concurrency: 4,
    });
    const acknowledged: string[] = [];
    const sending = { on: true };
    const sender = (async () => {
      for (let i = 0; sending.on; i++) {
        await queue.send({ body: `${i}` });
        acknowledged.push(`${i}`);
      }
    })();
    for (let round = 0; round < 2; round++) {
      const before = acknowledged.length;
      await expect
        .poll(() => acknowledged.length, { timeout: 20_000 })
        .toBeGreaterThan(before + 50);
      await server.restart();
    }
    const before = acknowledged.length;
    await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(before + 50);
    sending.on = false;
    await sender;
    await expect
      .poll(() => acknowledged.filter((body) => !handled.has(body)), { timeout: 20_000 })
      .toEqual([]);
    await consumer.stop();
    expect(broker.state).toBe('connected');
  }, 90_000);

  it('that stops in good order says so to its clients, and stops', async () => {
    const server = await startServer();
    const broker = await connected(server.port);
    const queue = await broker.createQueue('orders');
    const consumer = queue.consume();
    const next = consumer.next();
    await expect.poll(async () => (await queue.counts()).visible).toBe(0);
    expect(await server.stop()).toBe(0);
    await expect.poll(() => broker.state).toBe('reconnecting');
    await server.start();
    await queue.send({ body: 'after' });
    expect((await next).value?.text()).toBe('after');
    await consumer.stop();
  }, 60_000);
});
