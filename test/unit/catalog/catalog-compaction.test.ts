import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Catalog } from '../../../src/catalog/catalog.ts';
import { catalogBench } from '../../support/catalog-bench.ts';
import { MemoryStorage } from '../../support/memory-log.ts';

const NOW = 1_700_000_000_000;
const REGION_BYTES = 16 * 1024;

/** Lets a compaction that was begun come to its end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
}

function contents(catalog: Catalog) {
  const queues = catalog.definitions.list({ max: 1_000_000 });
  return { queues, tasks: queues.map(({ queueId }) => catalog.moveTasks(queueId)) };
}

describe("the catalog's log", () => {
  it('stays bounded however often a queue is changed', async () => {
    const bench = catalogBench({}, new MemoryStorage(REGION_BYTES));
    await bench.catalog.createQueue('a', {}, { team: 'x' }, NOW);
    let longest = 0;
    for (let change = 1; change <= 2000; change++) {
      await bench.catalog.setAttributes('a', { delayMs: change % 900 }, NOW + change);
      longest = Math.max(longest, bench.storage.storedRecordBytes);
    }
    await settle();
    expect(longest).toBeLessThan(3 * REGION_BYTES);
    expect(bench.storage.firstRegion).toBeGreaterThan(5);
    expect(contents(bench.reopen().catalog)).toEqual(contents(bench.catalog));
  });

  it('keeps everything that lives when it is compacted', async () => {
    const bench = catalogBench({ strictWaits: true }, new MemoryStorage(REGION_BYTES));
    const { catalog } = bench;
    for (let index = 0; index < 40; index++) {
      await catalog.createQueue(`q${index}`, { delayMs: index }, { index: String(index) }, NOW);
    }
    await catalog.putMoveTask({
      taskId: 't',
      source: 'q1',
      sourceQueueId: 2,
      destination: undefined,
      destinationQueueId: 0,
      messagesPerSecondMax: 5,
      status: 'RUNNING',
      moved: 1,
      toMove: 2,
      startedAtMs: NOW,
      failureReason: undefined,
    });
    // Id 41 is deleted, and must stay unused; its name must stay refused.
    await catalog.createQueue('deleted', {}, {}, NOW);
    await catalog.deleteQueue('deleted', NOW);
    for (let change = 1; change <= 600; change++) {
      await catalog.setAttributes('q7', { delayMs: change }, NOW + change);
    }
    await settle();
    expect(bench.storage.firstRegion).toBeGreaterThan(0);
    const reopened = bench.reopen().catalog;
    expect(contents(reopened)).toEqual(contents(catalog));
    expect(reopened.unfinishedMoveTasks()).toHaveLength(1);
    await expect(reopened.createQueue('deleted', {}, {}, NOW + 700)).rejects.toMatchObject({
      code: 'CAPSTAN_QUEUE_DELETED_RECENTLY',
    });
    expect(await reopened.createQueue('new', {}, {}, NOW + 700)).toMatchObject({ queueId: 42 });
  });

  it('is not rewritten while most of it lives', async () => {
    const bench = catalogBench({}, new MemoryStorage(REGION_BYTES));
    for (let index = 0; index < 500; index++) {
      await bench.catalog.createQueue(`q${index}`, {}, {}, NOW);
    }
    await settle();
    expect(bench.storage.endPosition).toBeGreaterThan(4 * REGION_BYTES);
    expect(bench.storage.firstRegion).toBe(0);
  });

  it('survives a crash after any commit of a compaction with changes in between', async () => {
    // Definitions of 60 KiB: 100 of them take more than one commit to rewrite.
    const stored = { Policy: 'p'.repeat(60 * 1024) };
    const storage = new MemoryStorage(1024 * 1024);
    const { catalog } = catalogBench({}, storage);
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        catalog.createQueue(`q${index}`, { stored }, {}, NOW),
      ),
    );
    const images: { records: MemoryStorage['records']; published: object; next: object }[] = [];
    storage.onCommitted = () => {
      const published = contents(catalog);
      const last = images.at(-1);
      if (last !== undefined) last.next = published;
      images.push({ records: [...storage.records], published, next: published });
      if (images.length > 16) images.shift();
    };
    for (let change = 1; storage.firstRegion === 0; change++) {
      expect(change).toBeLessThan(1000);
      const name = `q${change % 50}`;
      await Promise.all([
        catalog.setAttributes(name, { delayMs: change % 900 }, NOW + change),
        catalog.createQueue(`n${change}`, {}, {}, NOW),
        change > 1 ? catalog.deleteQueue(`n${change - 1}`, NOW) : undefined,
      ]);
    }
    await settle();
    storage.onCommitted = () => {};
    images.at(-1)!.next = contents(catalog);
    expect(contents(catalogBench({}, storage).catalog)).toEqual(contents(catalog));
    for (const { records, published, next } of images) {
      const image = new MemoryStorage(storage.regionBytes);
      image.records = records;
      const found = contents(catalogBench({}, image).catalog);
      if (!isDeepStrictEqual(found, published)) expect(found).toEqual(next);
    }
  });

  it('replays to the state it had, whatever was done and whenever it was compacted', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.record({
      kind: fc.constantFrom('create', 'change', 'tag', 'delete', 'reopen'),
      name,
      delayMs: fc.integer({ min: 0, max: 900 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 50, maxLength: 150 }), async (steps) => {
        // So small a region that compactions are frequent.
        let bench = catalogBench({ boardRows: 4 }, new MemoryStorage(2048));
        let idMax = 0;
        for (const { kind, name: queue, delayMs } of steps) {
          const { catalog } = bench;
          const exists = catalog.definitions.find(queue) !== undefined;
          if (kind === 'create' && !exists) {
            const { queueId } = await catalog.createQueue(queue, { delayMs }, {}, NOW);
            expect(queueId).toBeGreaterThan(idMax);
            idMax = queueId;
          } else if (kind === 'change' && exists) {
            await catalog.setAttributes(queue, { delayMs }, NOW + delayMs);
          } else if (kind === 'tag' && exists) {
            await catalog.setTags(queue, { tag: 't'.repeat(delayMs % 200) }, [], NOW);
          } else if (kind === 'delete' && exists) {
            await catalog.deleteQueue(queue, NOW);
          } else if (kind === 'reopen') {
            await catalog.close();
            const reopened = bench.reopen();
            expect(contents(reopened.catalog)).toEqual(contents(catalog));
            bench = reopened;
          }
        }
        const rows = contents(bench.catalog).queues.map(({ boardRow }) => boardRow);
        expect(new Set(rows).size).toBe(rows.length);
      }),
      { numRuns: 40 },
    );
  });
});
