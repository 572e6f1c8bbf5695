import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SILENT_LOGGER } from '../../../src/base/logger.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import { Doors } from '../../../src/door/doors.ts';

const threads: FakeThread[] = [];

class FakeThread extends EventEmitter {
  readonly got: unknown[] = [];

  constructor() {
    super();
    threads.push(this);
  }

  postMessage(message: unknown): void {
    this.got.push(message);
  }
}

// Asked for when a thread is made: this is carried out before the class is there.
vi.mock('node:worker_threads', () => ({
  workerData: undefined, // of the main thread
  get Worker() {
    return FakeThread;
  },
}));

const broker = {
  durability: 'fsync',
  damages: [],
  heartbeatTimeoutMs: 60_000,
  board: { routerHeartbeat: () => 0 },
  onDamages: () => undefined,
  routerStart: () => ({ start: {}, transfer: [] }),
} as unknown as Broker;

function open(onGone: () => void = () => undefined): Promise<Doors> {
  return Doors.open({
    broker,
    count: 1,
    host: '127.0.0.1',
    port: 9324,
    version: '1.2.3',
    publicUrl: undefined,
    token: undefined,
    logger: SILENT_LOGGER,
    onGone,
    onStuck: () => undefined,
  });
}

async function opened(onGone?: () => void): Promise<Doors> {
  const opening = open(onGone);
  threads[0]!.emit('message', { kind: 'listening' });
  return opening;
}

const FAILED = { kind: 'failed', message: 'Nothing can listen there.' };

afterEach(() => {
  threads.length = 0;
});

describe('a door', () => {
  it('whose start fails is started anew when its thread has ended, and not before', async () => {
    const doors = await opened();
    threads[0]!.emit('exit', 1);
    threads[1]!.emit('message', FAILED);
    await new Promise(setImmediate);
    // Both would use the same rings.
    expect(threads.length).toBe(2);
    threads[1]!.emit('exit', 0);
    await vi.waitFor(() => expect(threads.length).toBe(3));
    const closing = doors.close(0);
    expect(threads[2]!.got).toEqual([{ kind: 'close', patienceMs: 0 }]);
    threads[2]!.emit('exit', 0);
    await closing;
  });

  it('that fails again and again is given up, which is told when it was the last', async () => {
    const onGone = vi.fn();
    const doors = await opened(onGone);
    threads[0]!.emit('exit', 1);
    for (let at = 1; at <= 5; at++) {
      await vi.waitFor(() => expect(threads.length).toBe(at + 1));
      threads[at]!.emit('message', FAILED);
      threads[at]!.emit('exit', 0);
    }
    await vi.waitFor(() => expect(onGone).toHaveBeenCalledOnce());
    expect(threads.length).toBe(6);
    await doors.close(0);
  });

  it('that cannot start at all says why', async () => {
    const opening = open();
    threads[0]!.emit('message', FAILED);
    threads[0]!.emit('exit', 0);
    await expect(opening).rejects.toThrow('Nothing can listen there.');
  });
});
