/* The command line against a real server: what only a whole one can show. */

import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command-line.ts';
import { TestServer } from '../support/server.ts';
import { ROOT } from '../support/source-tree.ts';

const MAIN = path.join(ROOT, 'dist', 'bundle', 'main.js');

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start({ args: ['--partitions', '2'] });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

async function capstan(at: TestServer, ...args: string[]) {
  const result = await runCommand([...args, '--url', at.url]);
  expect(result, `${args.join(' ')}: ${result.err}`).toMatchObject({ code: 0 });
  return result;
}

async function countOf(queue: string): Promise<number> {
  const { json } = await capstan(server, 'queue', 'show', queue, '--json');
  const { visible, inFlight, delayed } = json[0]!['counts'] as Record<string, number>;
  return visible! + inFlight! + delayed!;
}

describe('capstan send', () => {
  it('tells the id of each message, as its receiver will see it', async () => {
    await capstan(server, 'queue', 'create', 'orders');
    const sent = await capstan(server, 'send', 'orders', 'a', 'b', 'c', '--json');
    const seen = await capstan(server, 'peek', 'orders', '--json');
    const ids = (run: typeof sent) => run.json.map(({ messageId }) => String(messageId));
    expect(new Set(ids(sent)).size).toBe(3);
    expect(ids(seen).toSorted()).toEqual(ids(sent).toSorted());
  });
});

describe('capstan backup', () => {
  it('of a server under load starts as a server with all that was acknowledged', async () => {
    await capstan(server, 'queue', 'create', 'orders');
    const parent = mkdtempSync(path.join(tmpdir(), 'capstan-backup-'));
    const copy = path.join(parent, 'copy');
    const sender = spawn(
      process.execPath,
      [MAIN, 'send', 'orders', '--json', '--url', server.url],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const ended = new Promise((resolve) => sender.once('close', resolve));
    try {
      const acknowledged: string[] = [];
      Readable.from(lines(200_000)).pipe(sender.stdin);
      let enough = (): void => {};
      const begun = new Promise<void>((resolve) => {
        enough = resolve;
      });
      createInterface({ input: sender.stdout }).on('line', (line) => {
        acknowledged.push((JSON.parse(line) as { messageId: string }).messageId);
        if (acknowledged.length === 20_000) enough();
      });
      sender.stdin.on('error', () => {}); // It is ended while there are lines left.
      await begun;
      const before = acknowledged.slice();
      const backup = await runCommand(['backup', copy, '--data', server.data]);
      expect(backup, backup.err).toMatchObject({ code: 0 });
      sender.kill('SIGKILL');

      await using restored = await TestServer.start({ data: copy });
      const received = await capstan(
        restored,
        ...['receive', 'orders', '--max', '1000000', '--json', '--delete'],
      );
      const ids = new Set(received.json.map(({ messageId }) => messageId));
      expect(before.filter((id) => !ids.has(id))).toEqual([]);
      expect(ids.size).toBe(received.json.length);
    } finally {
      sender.kill('SIGKILL');
      await ended;
      rmSync(parent, { recursive: true });
    }
  });
});

function* lines(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield `message ${i}\n`;
}

describe('capstan redrive', () => {
  const MESSAGES = 900;
  const KILLS = 3;

  it('moves each message once, however often the server is killed meanwhile', async () => {
    await capstan(server, 'queue', 'create', 'dead');
    await capstan(
      server,
      ...['queue', 'create', 'orders', '--dead-letters', 'dead', '--max-receives', '1'],
    );
    const input = [...lines(MESSAGES)].join('');
    expect((await runCommand(['send', 'orders', '--url', server.url], { input })).code).toBe(0);
    await capstan(server, 'receive', 'orders', '--max', '2000', '--visibility', '0');
    await expect.poll(() => countOf('dead'), { timeout: 30_000 }).toBe(MESSAGES);

    await capstan(server, 'redrive', 'dead', '--rate', '400', '--detach');
    for (let kill = 0; kill < KILLS; kill++) {
      const moved = await countOf('orders');
      await expect.poll(() => countOf('orders'), { timeout: 30_000 }).toBeGreaterThan(moved);
      await server.restart();
    }
    await expect.poll(() => countOf('dead'), { timeout: 30_000 }).toBe(0);
    const { json } = await capstan(
      server,
      ...['receive', 'orders', '--max', '2000', '--json', '--delete'],
    );
    const bodies = json.map(({ body }) => String(body)).toSorted();
    expect(bodies).toEqual(input.trimEnd().split('\n').toSorted());
    await expect
      .poll(async () => (await capstan(server, 'redrive', 'dead', '--list')).out)
      .toMatch(/completed/);
  });

  it('says what is wrong with a queue that nothing is dead-lettered to', async () => {
    await capstan(server, 'queue', 'create', 'orders');
    const { code, err } = await runCommand(['redrive', 'orders', '--url', server.url]);
    expect(err).toMatch(/dead-letter queue/);
    expect(code).toBe(2);
  });
});

describe('capstan log verify', () => {
  it('waits for the server to be down, then finds the log sound, and a flipped bit', async () => {
    await capstan(server, 'queue', 'create', 'orders');
    const input = [...lines(5_000)].join('');
    await runCommand(['send', 'orders', '--url', server.url], { input });
    const refused = await runCommand(['log', 'verify', server.data]);
    expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/in use by process/) });

    // In good order: its last frames say then that those before them were on disk. After a kill,
    // damage to the last ones cannot be told from a torn write.
    await server.stop();
    const sound = await runCommand(['log', 'verify', server.data, '--json']);
    expect(sound, sound.err).toMatchObject({ code: 0 });
    expect(sound.json).toHaveLength(3);
    const [largest] = sound.json.toSorted((a, b) => Number(b['bytes']) - Number(a['bytes']));
    const file = path.join(String(largest!['directory']), 'segment-000000000000');
    flipBit(file, 2_000);
    const damaged = await runCommand(['log', 'verify', server.data]);
    expect(damaged.out).toMatch(/DAMAGED/);
    expect(damaged.out).toMatch(new RegExp(`${file}, offset \\d+: `));
    expect(damaged).toMatchObject({ code: 1, err: expect.stringMatching(/1 log of 3 damaged/) });
    flipBit(file, 2_000);
    await server.start();
    expect(await countOf('orders')).toBe(5_000);
  });
});

function flipBit(file: string, offset: number): void {
  const fd = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, offset);
  byte[0]! ^= 1;
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}
