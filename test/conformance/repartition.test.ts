/* A data folder that is opened with another number of partitions; driven through the package. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBroker } from 'capstan';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const GROUPS = 7;
const PER_GROUP = 5;

let data: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'capstan-repartition-'));
});
afterEach(async () => {
  await rm(data, { recursive: true });
});

async function fill(): Promise<string> {
  const broker = await openBroker({ data, partitions: 2 });
  await broker.createQueue('ordered.fifo', {
    fifo: true,
    deduplicationScope: 'messageGroup',
    throughputLimit: 'perMessageGroupId',
  });
  await broker.createQueue('plain', { visibilityTimeoutMs: 40_000_000 });
  const ordered = broker.queue('ordered.fifo');
  for (let i = 0; i < PER_GROUP; i++) {
    for (let group = 0; group < GROUPS; group++) {
      const deduplicationId = `${group}-${i}`;
      await ordered.send({ body: deduplicationId, groupId: `g${group}`, deduplicationId });
    }
  }
  const plain = broker.queue('plain');
  await plain.sendBatch(Array.from({ length: 20 }, (_, i) => ({ body: `plain ${i}` })));
  await plain.send({ body: 'later', delayMs: 40_000_000 });
  const [held] = await plain.receive({ waitMs: 1000 });
  await broker.close();
  return held!.receiptHandle;
}

async function expectAll(partitions: number, receiptHandle: string): Promise<void> {
  const broker = await openBroker({ data, partitions });
  const plain = broker.queue('plain');
  expect(await plain.counts()).toEqual({ visible: 19, inFlight: 1, delayed: 1 });
  await expect(plain.delete(receiptHandle)).rejects.toMatchObject({
    code: 'CAPSTAN_RECEIPT_HANDLE_INVALID',
  });
  const ordered = broker.queue('ordered.fifo');
  const again = await ordered.send({ body: 'x', groupId: 'g3', deduplicationId: '3-4' });
  expect(again.sequenceNumber).toBeGreaterThan(0);
  expect(await ordered.counts()).toMatchObject({ visible: GROUPS * PER_GROUP });
  await broker.close();
}

async function expectOrder(partitions: number): Promise<void> {
  const broker = await openBroker({ data, partitions });
  const ordered = broker.queue('ordered.fifo');
  const bodies = new Map<string, string[]>();
  for (let left = GROUPS * PER_GROUP; left > 0; ) {
    const messages = await ordered.receive({ max: 3, waitMs: 5000 });
    for (const message of messages) {
      const ofGroup = bodies.get(message.groupId!) ?? [];
      bodies.set(message.groupId!, [...ofGroup, message.text()]);
      await message.delete();
    }
    left -= messages.length;
  }
  for (const [group, found] of bodies) {
    expect(found).toEqual(Array.from({ length: PER_GROUP }, (_, i) => `${group.slice(1)}-${i}`));
  }
  await broker.close();
}

describe('a data folder that is opened with another number of partitions', () => {
  it('keeps messages, deadlines, deduplication and order, and refuses old receipts', async () => {
    const receiptHandle = await fill();
    await expectAll(5, receiptHandle);
    await expectAll(1, receiptHandle);
    await expectOrder(3);
    const names = await readdir(data);
    expect(names.filter((name) => name.startsWith('partition-')).toSorted()).toEqual([
      'partition-00.layout-3',
      'partition-01.layout-3',
      'partition-02.layout-3',
    ]);
  });
});
