/* A process that embeds the broker, killed at random moments: its next life has all that was
 * acknowledged, and takes the receipts that were handed out. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { QueueService } from '../../src/broker/service.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import { firstMessage, startProgram } from '../support/programs.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { openEmbedded } from '../torture/embedded-program.ts';
import { drainEmbedded } from '../torture/embedded-workers.ts';
import { judge } from '../torture/history.ts';
import { Ledger, readLedgers } from '../torture/ledger.ts';

/** In the suite; the environment asks for more. */
const KILLS = Number(process.env['CAPSTAN_TEST_KILLS'] ?? 6);
const SECONDS_PER_KILL = 20;
const TIMEOUT_MS = 60_000 + KILLS * SECONDS_PER_KILL * 1000;

/** Runs `program` over and over on the folder `data`, and kills it each time once it works. */
async function killOften(program: string, data: string, ledgers: string): Promise<void> {
  const random = seededRandom(7);
  for (let life = 1; life <= KILLS; life++) {
    const running = startProgram(program, { data, ledgers, life });
    await firstMessage(running);
    await sleep(random.below(500));
    running.child.kill('SIGKILL');
    expect(await running.ended).toBe('SIGKILL');
  }
}

it('a host process killed at random moments loses no acknowledged send, delete or receipt', {
  timeout: TIMEOUT_MS,
}, async () => {
  using folder = temporaryFolder();
  const data = path.join(folder.path, 'data');
  const ledgers = path.join(folder.path, 'ledgers');
  mkdirSync(ledgers);
  await killOften('embedded-history', data, ledgers);

  const broker = await openEmbedded(data);
  try {
    const { service } = broker;
    const queue = service.findQueue('busy')!;
    using ledger = new Ledger(ledgers, 'drain');
    await drainEmbedded({ service, queue, ledger, name: 'drain', random: seededRandom(0) });
  } finally {
    await broker.close();
  }
  const refused = path.join(ledgers, 'refused');
  expect(existsSync(refused) ? readFileSync(refused, 'utf8') : '').toBe('');
  const verdict = judge(readLedgers(ledgers), { drained: true, fifo: false, exclusive: true });
  console.log(`${KILLS} kills: ${JSON.stringify({ ...verdict, violations: undefined })}`);
  expect(verdict.violations).toEqual([]);
  expect(verdict.sent).toBeGreaterThan(0);
});

const MOVED = 400;

it('dead-letter moves and move tasks killed at random moments neither lose nor double a message', {
  timeout: TIMEOUT_MS,
}, async () => {
  using folder = temporaryFolder();
  const { path: data } = folder;
  const ids = await prepareMoves(data);
  await killOften('embedded-moves', data, data);

  const broker = await openEmbedded(data);
  try {
    const { service } = broker;
    await expectAll(service, 'dead', ['source'], ids.standard);
    await expectAll(service, 'dead.fifo', ['row.fifo', 'other.fifo'], ids.fifo);
  } finally {
    await broker.close();
  }
});

/** Once everything has come to rest, what `ids` names is in those queues, each once. */
async function expectAll(
  service: QueueService,
  dead: string,
  sources: readonly string[],
  ids: readonly string[],
): Promise<void> {
  const queues = [...sources, dead].map((name) => service.findQueue(name)!);
  const total = (count: 'visible' | 'inFlight') =>
    queues.reduce((sum, queue) => sum + service.counts(queue)[count], 0);
  // Whatever task goes on ends, and what was on its way arrives; what is in flight comes back.
  const running = async () =>
    ['RUNNING', 'CANCELLING'].includes((await service.listMoveTasks(dead, 1))[0]?.status ?? '');
  while ((await running()) || total('inFlight') > 0 || total('visible') < ids.length) {
    await sleep(10);
  }
  const tasks = await service.listMoveTasks(dead, 10);
  expect(tasks.length).toBeGreaterThan(0);
  expect(tasks.map((each) => each.failureReason ?? '')).toEqual(tasks.map(() => ''));
  expect(total('visible')).toBe(ids.length);
  const found: string[] = [];
  for (const queue of queues) found.push(...(await drain(service, queue)));
  expect(found.toSorted()).toEqual(ids.toSorted());
}

const GROUPS = 20;

async function prepareMoves(data: string): Promise<{ standard: string[]; fifo: string[] }> {
  const broker = await openEmbedded(data);
  try {
    const { service } = broker;
    await service.createQueue('dead', {});
    const source = await service.createQueue('source', {
      visibilityTimeoutMs: 10,
      redrivePolicy: { deadLetterQueue: 'dead', maxReceiveCount: 2 },
    });
    const fifo = { fifo: true, visibilityTimeoutMs: 10 };
    const redrivePolicy = { deadLetterQueue: 'dead.fifo', maxReceiveCount: 2 };
    await service.createQueue('dead.fifo', { fifo: true });
    await service.createQueue('other.fifo', { ...fifo, redrivePolicy });
    // Its groups are on all partitions, those of the other queue on one.
    const row = await service.createQueue('row.fifo', {
      ...fifo,
      redrivePolicy,
      deduplicationScope: 'messageGroup',
      throughputLimit: 'perMessageGroupId',
    });
    return { standard: await fill(service, source), fifo: await fill(service, row) };
  } finally {
    await broker.close();
  }
}

async function fill(service: QueueService, queue: QueueDefinition): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < MOVED) {
    const messages = Array.from({ length: 10 }, (_, i) => ({
      body: `${ids.length + i}`,
      ...(queue.attributes.fifo ? { groupId: `g${(ids.length + i) % GROUPS}` } : {}),
    }));
    for (const { messageId } of await service.send(queue, messages)) ids.push(messageId);
  }
  return ids;
}

async function drain(service: QueueService, queue: QueueDefinition): Promise<string[]> {
  const ids: string[] = [];
  while (service.counts(queue).visible > 0) {
    const visibilityTimeoutMs = 60_000;
    const messages = await service.receive(queue, { max: 100, waitMs: 0, visibilityTimeoutMs });
    await service.delete(queue, messages);
    for (const { messageId } of messages) ids.push(messageId);
  }
  return ids;
}
