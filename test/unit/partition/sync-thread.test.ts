import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { NODE_STORAGE, type StorageFile } from '../../../src/log/wal/storage.ts';
import type { SyncThread } from '../../../src/partition/sync-thread.ts';
import { allocateDoorbell, Doorbell } from '../../../src/ring/doorbell.ts';
import { builtSyncThread } from '../../support/built.ts';

const PATIENCE_MS = 30_000;
const folder = mkdtempSync(join(tmpdir(), 'capstan-test-'));
const threads: SyncThread[] = [];

afterEach(() => {
  for (const thread of threads.splice(0)) thread.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ready(doorbell = allocateDoorbell()): Promise<SyncThread> {
  const Thread = await builtSyncThread();
  const thread = new Thread(doorbell);
  threads.push(thread);
  while (!thread.ready) await new Promise((resolve) => setImmediate(resolve));
  return thread;
}

function file(): StorageFile {
  const path = join(folder, 'file');
  NODE_STORAGE.makeDirectory(folder);
  NODE_STORAGE.createZeroed(path, 4096);
  return NODE_STORAGE.open(path, 'write');
}

test('syncs begun are waited for, whether the one before is done or not', async () => {
  const thread = await ready();
  const target = file();
  for (let i = 0; i < 20; i++) {
    target.append(Buffer.alloc(100, i));
    thread.begin(target);
    if (i % 3 === 0) thread.begin(target);
    expect(thread.outstanding()).toBeLessThanOrEqual(2);
    thread.drain();
    expect(thread.outstanding()).toBe(0);
  }
  target.close();
});

test('the end of each rings the doorbell of a partition that sleeps meanwhile', async () => {
  const memory = allocateDoorbell();
  const thread = await ready(memory);
  const target = file();
  const doorbell = new Doorbell(memory);
  const began = performance.now();
  for (let i = 0; i < 20; i++) {
    thread.begin(target);
    thread.begin(target);
    const isDone = () => thread.outstanding() === 0;
    // Asleep or not yet when it ends: it is awake after that, without the time running out.
    while (!isDone()) doorbell.sleep(PATIENCE_MS, isDone);
  }
  expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
  target.close();
});

test("a sync that fails throws the system's error, from then on", async () => {
  const thread = await ready();
  const target = file();
  thread.begin({ ...target, descriptor: 1_000_000 });
  const failure = expect.objectContaining({ code: 'EBADF' });
  expect(() => thread.drain()).toThrow(failure);
  expect(() => thread.outstanding()).toThrow(failure);
  expect(thread.ready).toBe(false);
  target.close();
});

test('closed before it has started, it never is ready', async () => {
  const Thread = await builtSyncThread();
  const thread = new Thread(allocateDoorbell());
  thread.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(thread.ready).toBe(false);
});
