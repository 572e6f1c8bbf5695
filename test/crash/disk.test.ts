/* Disks that are full, and disks that do not answer, under a server as users start it. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TestServer } from '../support/server.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { canMount } from '../torture/faults.ts';
import { FaultyDisk, hasCompiler } from '../torture/faulty-disk.ts';

const TIMEOUT_MS = 180_000;
const MIB = 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(method: string, url: string, body?: string): Promise<Answer> {
  const answer = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? {} : JSON.parse(text) };
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(20);
}

async function receiveAndDelete(queue: string): Promise<string[]> {
  const { status, body } = await call('POST', `${queue}/receive?max=100&waitMs=0`);
  expect(status).toBe(200);
  const messages = body['messages'] as { messageId: string; receiptHandle: string }[];
  for (const { receiptHandle } of messages) {
    const url = `${queue}/messages/${encodeURIComponent(receiptHandle)}`;
    expect((await call('DELETE', url)).status).toBeLessThan(300);
  }
  return messages.map((each) => each.messageId);
}

describe.runIf(hasCompiler())('a disk that does not answer', () => {
  it('makes its partition answer 503 meanwhile; the other one goes on', {
    timeout: TIMEOUT_MS,
  }, async () => {
    using folder = temporaryFolder();
    const data = path.join(folder.path, 'data');
    mkdirSync(data);
    using disk = new FaultyDisk(data, folder.path, 'partition-00/segment-');
    const args = ['--partitions', '2', '--doors', '1'];
    await using server = await TestServer.start({ data, args, env: disk.env });
    const queue = `${server.url}/v1/queues/orders`;
    await call('PUT', queue);
    // Longer than the test: whoever is answered is answered before the disk is.
    disk.slowSyncs(1, TIMEOUT_MS * 2);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => call('POST', `${queue}/messages`, 'waits for the disk')),
    );
    const refused = answers.filter((each) => each.status !== 201);
    expect(refused.length).toBeGreaterThan(0);
    for (const each of refused) {
      expect(each).toMatchObject({ status: 503, body: { code: 'CAPSTAN_PARTITION_RESTARTING' } });
    }
    expect((await call('GET', `${server.url}/healthz`)).status).toBe(503);
    for (let i = 0; i < 10; i++) {
      expect((await call('POST', `${queue}/messages`, `goes on ${i}`)).status).toBe(201);
    }
    // The thread sits in the kernel's hands; the next life has what was acknowledged.
    await server.restart();
    const found: string[] = [];
    await until(async () => {
      found.push(...(await receiveAndDelete(queue)));
      return found.length >= 10 + answers.length - refused.length;
    });
  });
});

/** A file system of its own, in memory, of `bytes`. */
function smallFileSystem(at: string, bytes: number): TemporaryFolder {
  mkdirSync(at);
  const { status, stderr } = spawnSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=${bytes}`,
    'tmpfs',
    at,
  ]);
  if (status !== 0) throw new Error(`mount: ${String(stderr)}`);
  return { path: at, [Symbol.dispose]: () => void spawnSync('umount', ['--lazy', at]) };
}

describe.runIf(canMount())('a disk that is full', () => {
  it('refuses sends, lets receives and deletes go on, and is well again with space', {
    timeout: TIMEOUT_MS,
  }, async () => {
    using folder = temporaryFolder();
    const disk = path.join(folder.path, 'disk');
    using small = smallFileSystem(disk, 500 * MIB);
    const data = path.join(small.path, 'data');
    await using server = await TestServer.start({ data, args: ['--partitions', '1'] });
    const queue = `${server.url}/v1/queues/orders`;
    await call('PUT', queue);
    const body = 'x'.repeat(256 * 1024);
    const accepted = new Set<string>();
    let refused: Answer | undefined;
    while (refused === undefined) {
      const answer = await call('POST', `${queue}/messages`, body);
      if (answer.status === 201) accepted.add(String(answer.body['messageId']));
      else refused = answer;
    }
    expect(refused).toMatchObject({ status: 503, body: { code: 'CAPSTAN_DISK_FULL' } });
    // Somebody else takes the rest, to the last byte.
    const ballast = path.join(disk, 'ballast');
    expect(() => writeFileSync(ballast, Buffer.alloc(500 * MIB))).toThrow('ENOSPC');
    for (let i = 0; i < 3; i++) {
      for (const id of await receiveAndDelete(queue)) expect(accepted.delete(id)).toBe(true);
    }
    // What was acknowledged is there after a kill, on a disk that is still full.
    await server.restart();
    for (const id of await receiveAndDelete(queue)) expect(accepted.delete(id)).toBe(true);
    rmSync(ballast);
    while (accepted.size > 0) {
      for (const id of await receiveAndDelete(queue)) expect(accepted.delete(id)).toBe(true);
    }
    // Segments whose messages are gone make room; nobody has to do anything for it.
    await until(async () => (await call('POST', `${queue}/messages`, body)).status === 201);
  });
});
