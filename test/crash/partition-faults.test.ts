/* Partition threads that throw, exit and hang while they are under load, in a broker that runs in
 * this process: they come back from their logs, and the others never notice. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../src/base/errors.ts';
import { SILENT_LOGGER } from '../../src/base/logger.ts';
import type { Broker } from '../../src/broker/broker.ts';
import type { QueueService } from '../../src/broker/service.ts';
import { FAULT_KINDS } from '../../src/command/command-codec.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import { builtBroker } from '../support/built.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** As a server has it: a busy machine may keep a sound thread waiting for a second or two. */
const HEARTBEAT_TIMEOUT_MS = 5000;
const BATCH = 500;
/** More than any restart takes, so that nothing becomes visible again by itself. */
const VISIBILITY_MS = 600_000;

async function openBroker(data: string, partitions: number): Promise<Broker> {
  const Broker = await builtBroker();
  return Broker.open({
    data,
    partitions,
    faults: true,
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    segmentBytes: 16 * 1024 * 1024,
    memoryBytes: 8 * 1024 * 1024,
    logger: SILENT_LOGGER,
  });
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(2);
}

/** Sends bodies `from` .. `from + count - 1` and returns the ids. */
async function sendMany(service: QueueService, queue: QueueDefinition, count: number) {
  const ids: string[] = [];
  for (let sent = 0; sent < count; sent += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, i) => ({ body: `held ${sent + i}` }));
    const outcomes = await service.send(queue, messages);
    for (const outcome of outcomes) {
      expect(outcome.error).toBeUndefined();
      ids.push(outcome.messageId);
    }
  }
  return ids;
}

/** Producers and consumers that go on whatever happens, and note what was acknowledged. */
class Load {
  readonly sent = new Set<string>();
  readonly received = new Set<string>();
  readonly deleted = new Set<string>();
  /** Codes of failures that say "retry". */
  readonly retried = new Map<string, number>();
  readonly violations: string[] = [];
  #stopped = false;
  readonly #service: QueueService;
  readonly #queue: QueueDefinition;
  readonly #running: Promise<void>[];

  constructor(service: QueueService, queue: QueueDefinition) {
    this.#service = service;
    this.#queue = queue;
    this.#running = [this.#produce(), this.#produce(), this.#consume(), this.#consume()];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #produce(): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const messages = Array.from({ length: 10 }, () => ({ body: `under load ${i}` }));
      await this.#trying(async () => {
        for (const outcome of await this.#service.send(this.#queue, messages)) {
          if (outcome.error === undefined) this.sent.add(outcome.messageId);
        }
      });
    }
  }

  async #consume(): Promise<void> {
    while (!this.#stopped) {
      await this.#trying(async () => {
        const messages = await this.#service.receive(this.#queue, { max: 10, waitMs: 20 });
        for (const { messageId } of messages) {
          this.received.add(messageId);
          if (this.deleted.has(messageId)) this.violations.push(`${messageId} came back`);
        }
        const results = await this.#service.delete(this.#queue, messages);
        results.forEach((error, i) => {
          if (error === undefined) this.deleted.add(messages[i]!.messageId);
          else this.#noteRetry(error);
        });
      });
    }
  }

  #noteRetry(code: string): void {
    this.retried.set(code, (this.retried.get(code) ?? 0) + 1);
  }

  async #trying(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      this.#noteRetry(String(error.code));
      await sleep(5);
    }
  }
}

/** Receives and deletes until nothing is left; returns the ids. */
async function drain(service: QueueService, queue: QueueDefinition): Promise<Set<string>> {
  const ids = new Set<string>();
  for (;;) {
    const messages = await service.receive(queue, { max: BATCH, waitMs: 0 });
    if (messages.length === 0) {
      if (service.counts(queue).visible === 0) return ids;
      continue;
    }
    for (const message of messages) ids.add(message.messageId);
    await service.delete(queue, messages);
  }
}

describe.each(FAULT_KINDS)('a partition made to %s under load', (kind) => {
  it('comes back with 100,000 messages, and nothing acknowledged is lost', async () => {
    using folder = temporaryFolder();
    const broker = await openBroker(folder.path, 2);
    try {
      const { service } = broker;
      const attributes = { visibilityTimeoutMs: VISIBILITY_MS };
      const held = await service.createQueue('held', attributes);
      const busy = await service.createQueue('busy', { visibilityTimeoutMs: 1000 });
      const ids = new Set(await sendMany(service, held, 200_000));
      const inHand = await service.receive(held, { max: 100 });
      const load = new Load(service, busy);
      await until(() => load.deleted.size > 1000);

      const before = broker.board.gauge(1, 'commits');
      const began = performance.now();
      await expect(broker.fault(0, kind)).rejects.toMatchObject({
        code: 'CAPSTAN_PARTITION_RESTARTING',
      });
      const goneAfterMs = performance.now() - began;
      const othersAt = load.sent.size;
      await until(() => broker.board.state(0) === 'running');
      const backAfterMs = performance.now() - began;
      await until(() => load.sent.size > othersAt + 1000);
      // Published with every heartbeat.
      await until(() => broker.board.gauge(1, 'commits') > before);
      await load.stop();
      console.log(
        `${kind}: noticed after ${Math.round(goneAfterMs)} ms, ` +
          `running ${Math.round(backAfterMs - goneAfterMs)} ms later`,
      );

      expect(load.violations).toEqual([]);
      const codes = [...load.retried.keys()];
      expect(codes.filter((code) => code !== 'CAPSTAN_PARTITION_RESTARTING')).toEqual([]);
      expect(broker.health().map((each) => each.restarts)).toEqual([1, 0]);
      // Generous: the bar is one second, on a machine that does nothing else.
      expect(backAfterMs - goneAfterMs).toBeLessThan(10_000);

      // Receipts from before the restart still work after it.
      expect(await service.delete(held, inHand)).toEqual(inHand.map(() => undefined));
      for (const { messageId } of inHand) ids.delete(messageId);
      expect(await drain(service, held)).toEqual(ids);
      await until(() => service.counts(busy).inFlight === 0);
      const rest = await drain(service, busy);
      const missing = [...load.sent].filter((id) => !load.deleted.has(id) && !rest.has(id));
      // What was being deleted when the partition went may be gone without an answer.
      expect(missing.filter((id) => !load.received.has(id))).toEqual([]);
      expect([...rest].filter((id) => load.deleted.has(id))).toEqual([]);
    } finally {
      await broker.close();
    }
  });
});

describe('past the restart intensity', () => {
  it('a partition is failed, says so, and the rest goes on', async () => {
    using folder = temporaryFolder();
    const broker = await openBroker(folder.path, 2);
    let unreachable: number;
    try {
      const { service } = broker;
      const queue = await service.createQueue('orders', {});
      const ids = new Set(await sendMany(service, queue, 1000));
      while (broker.board.state(0) !== 'failed') {
        await broker.fault(0, 'throw').catch((error: unknown) => {
          expect((error as BrokerError).code).toMatch(/^CAPSTAN_PARTITION_(RESTARTING|FAILED)$/);
        });
        await until(() => ['running', 'failed'].includes(broker.board.state(0)));
      }
      expect(broker.health()).toEqual([
        { partition: 0, state: 'failed', restarts: 5 },
        { partition: 1, state: 'running', restarts: 0 },
      ]);
      const [outcome] = await service.send(queue, [{ body: 'goes to the other' }]);
      expect(outcome?.error).toBeUndefined();
      const rest = await drain(service, queue);
      expect(rest.has(outcome!.messageId)).toBe(true);
      rest.delete(outcome!.messageId);
      expect([...rest].every((id) => ids.has(id))).toBe(true);
      unreachable = ids.size - rest.size;
      await expect(service.purge(queue)).rejects.toMatchObject({
        code: 'CAPSTAN_PARTITION_FAILED',
      });
    } finally {
      await broker.close();
    }
    // What the failed partition holds is on disk, and is back with the next start.
    const again = await openBroker(folder.path, 2);
    try {
      const queue = again.service.findQueue('orders')!;
      expect(again.service.counts(queue).visible).toBe(unreachable);
    } finally {
      await again.close();
    }
  });
});
