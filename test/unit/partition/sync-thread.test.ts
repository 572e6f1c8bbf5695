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

test('a sync begun is waited for, one after the other', async () => {
  const thread = await ready();
  const target = file();
  for (let i = 0; i < 20; i++) {
    target.append(Buffer.alloc(100, i));
    thread.begin(target);
    thread.end();
    expect(thread.busy).toBe(false);
  }
  target.close();
});

test('its end rings the doorbell of a partition that sleeps meanwhile', async () => {
  const memory = allocateDoorbell();
  const thread = await ready(memory);
  const target = file();
  thread.begin(target);
  const began = performance.now();
  const doorbell = new Doorbell(memory);
  // Asleep or not yet when the sync ends: it is awake after that, without the time running out.
  while (thread.busy) doorbell.sleep(PATIENCE_MS, () => !thread.busy);
  expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
  thread.end();
  target.close();
});

test("a sync that fails throws the system's error, once", async () => {
  const thread = await ready();
  const target = file();
  thread.begin({ ...target, descriptor: 1_000_000 });
  expect(() => thread.end()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  thread.begin(target);
  thread.end();
  target.close();
});

test('closed before it has started, it never is ready', async () => {
  const Thread = await builtSyncThread();
  const thread = new Thread(allocateDoorbell());
  thread.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(thread.ready).toBe(false);
});
