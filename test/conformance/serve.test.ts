/* `capstan serve` as a process: how it starts, tells where it is, refuses to start, and stops. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { RawConnection, rawRequest } from '../support/raw-http.ts';
import { TestServer } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const ENTRY = path.resolve(import.meta.dirname, '../../dist/bundle/main.js');

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end, in a folder of its own. */
async function run(...args: string[]): Promise<Run> {
  const cwd = mkdtempSync(path.join(tmpdir(), 'capstan-test-'));
  try {
    const child = spawn(process.execPath, [ENTRY, ...args], { cwd });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stdout, stderr };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

/** Resolves when the doors have read so many REST requests in all, answered or not. */
async function restRequests(server: TestServer, count: number): Promise<void> {
  const line = `capstan_door_requests_total{door="rest"} ${count}\n`;
  while (!(await (await fetch(`${server.url}/metrics`)).text()).includes(line)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('starting', () => {
  it('tells where it listens, where the data is, and what durability is in force', async () => {
    await using server = await TestServer.start({
      args: ['--durability', 'interval:50', '--partitions', '2'],
    });
    expect(await server.stop()).toBe(0);
    expect(server.stdout).toContain(`listens on ${server.url}\n`);
    expect(server.stdout).toContain(`${server.data} (durability interval:50)`);
    expect(server.stdout).toContain(`curl -X PUT ${server.url}/v1/queues/orders`);
    expect(server.logLines).toContainEqual(
      expect.objectContaining({
        level: 'info',
        message: 'serving',
        url: server.url,
        data: server.data,
        durability: 'interval:50',
        partitions: 2,
      }),
    );
  });

  it('takes options from the environment too, where the command line does not say', async () => {
    await using server = await TestServer.start({
      args: ['--partitions', '1'],
      env: { CAPSTAN_PARTITIONS: '2', CAPSTAN_DURABILITY: 'none', CAPSTAN_LOG_LEVEL: 'debug' },
    });
    const health: unknown = await (await fetch(`${server.url}/healthz`)).json();
    expect(health).toMatchObject({ durability: 'none', partitions: [{ partition: 0 }] });
  });

  it('keeps what was sent, over a kill and over a clean stop', async () => {
    await using server = await TestServer.start();
    await fetch(`${server.url}/v1/queues/q`, { method: 'PUT' });
    const send = (body: string) =>
      fetch(`${server.url}/v1/queues/q/messages`, { method: 'POST', body });
    expect((await send('one')).status).toBe(201);
    await server.restart();
    expect((await send('two')).status).toBe(201);
    expect(await server.stop()).toBe(0);
    await server.start();
    const peeked = await fetch(`${server.url}/v1/queues/q/messages`);
    const { messages } = (await peeked.json()) as { messages: { body: string }[] };
    expect(messages.map(({ body }) => body).toSorted()).toEqual(['one', 'two']);
  });

  it('with --ephemeral keeps nothing, and leaves nothing behind', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'capstan-test-'));
    try {
      await using server = await TestServer.start({
        args: ['--ephemeral'],
        env: { TMPDIR: folder },
      });
      expect(readdirSync(folder)).toHaveLength(1);
      expect(await server.stop()).toBe(0);
      expect(readdirSync(folder)).toEqual([]);
      expect(readdirSync(server.data)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('runs under flags of V8 that no thread can be started with by name', async () => {
    await using server = await TestServer.start({ nodeArgs: ['--single-threaded-gc'] });
    const { status } = await fetch(`${server.url}/v1/queues/orders`, { method: 'PUT' });
    expect(status).toBe(201);
  });

  it('shares its port among several doors', async () => {
    await using server = await TestServer.start({ args: ['--doors', '3'] });
    await fetch(`${server.url}/v1/queues/q`, { method: 'PUT' });
    for (let i = 0; i < 20; i++) {
      const connection = await RawConnection.open(server.port);
      await connection.send(rawRequest('GET', '/v1/queues/q'));
      expect(await connection.answer()).toMatchObject({ status: 200 });
      connection.close();
    }
    expect(await server.stop()).toBe(0);
  });
});

describe('refusing to start', () => {
  it('names the port that is in use, and what to do', async () => {
    await using server = await TestServer.start();
    const second = await run('serve', '--port', String(server.port));
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`Cannot listen on 127.0.0.1, port ${server.port}.`);
    expect(second.stderr).toContain('--port');
    expect(second.stderr).not.toContain('    at ');
  });

  it('names the folder that another server holds', async () => {
    await using server = await TestServer.start();
    const second = await run('serve', '--port', '0', '--data', server.data);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(server.data);
    expect(second.stderr).toContain(String(server.pid));
    expect(second.stderr).toContain('CAPSTAN_DATA_FOLDER_LOCKED');
    expect(second.stderr).not.toContain('    at ');
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  it('names the folder that cannot be made', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'file');
    writeFileSync(file, '');
    const refused = await run('serve', '--port', '0', '--data', path.join(file, 'data'));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(path.join(file, 'data'));
    expect(refused.stderr).toContain('Name another folder');
    expect(refused.stderr).not.toContain('    at ');
  });

  it.each([
    ['--port', 'x', '0 to 65535'],
    ['--port', '65536', '0 to 65535'],
    ['--partitions', '0', '1 to 64'],
    ['--doors', '31', '1 to 30'],
    ['--durability', 'sometimes', 'fsync'],
    ['--public-url', 'queues.example', 'http://'],
    ['--log-level', 'loud', 'debug'],
    ['--host', 'no.such.host.invalid', '--host'],
    ['--colour', 'red', 'unknown option'],
  ])('because of %s %s says what is right', async (option, value, advice) => {
    const refused = await run('serve', '--port', '0', option, value);
    expect(refused.code).toBe(option === '--host' ? 1 : 2);
    expect(refused.stderr).toContain(advice);
    expect(refused.stderr).not.toContain('    at ');
  });
});

describe('stopping', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s answers what waits, closes idle connections and WebSockets, and exits with 0',
    async (signal) => {
      await using server = await TestServer.start({ args: ['--doors', '2'] });
      await fetch(`${server.url}/v1/queues/q`, { method: 'PUT' });
      const idle = await Promise.all(
        Array.from({ length: 20 }, () => RawConnection.open(server.port)),
      );
      for (const each of idle) {
        await each.send(rawRequest('GET', '/healthz'));
        await each.answer();
      }
      const sockets = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/ws`);
          await once(socket, 'open');
          return socket;
        }),
      );
      const closed = sockets.map((each) => once(each, 'close'));
      const waiting = await RawConnection.open(server.port);
      await waiting.send(rawRequest('POST', '/v1/queues/q/receive?waitMs=20000'));
      // The queue's creation is the other REST request. Another door may answer sooner than the one
      // that holds this connection has read from it, so an answer from anywhere shows nothing.
      await restRequests(server, 2);
      server.signal(signal);
      const answer = await waiting.answer();
      expect(answer?.status).toBe(200);
      expect(JSON.parse(answer!.body)).toEqual({ messages: [] });
      await Promise.all([...idle.map((each) => each.end()), ...closed]);
      expect(await server.exited()).toEqual({ code: 0, signal: null });
    },
  );

  it('at a second signal ends at once', async () => {
    await using server = await TestServer.start({ args: ['--doors', '1'] });
    // A request that takes its time keeps the first signal from ending the server.
    const slow = await RawConnection.open(server.port);
    await slow.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345');
    // The only door has read it once it has answered what was sent later.
    await fetch(`${server.url}/healthz`);
    server.signal('SIGTERM');
    while (!server.log.includes('stopping')) await new Promise((resolve) => setTimeout(resolve, 5));
    server.signal('SIGTERM');
    expect(await server.exited()).toEqual({ code: null, signal: 'SIGKILL' });
  });
});
