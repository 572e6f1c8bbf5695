import { describe, expect, it } from 'vitest';
import { SILENT_LOGGER } from '../../../src/base/logger.ts';
import { CatalogOwner } from '../../../src/broker/catalog-owner.ts';
import { MoveTaskRunner } from '../../../src/broker/move-task-runner.ts';
import { catalogBench } from '../../support/catalog-bench.ts';

const NOW = 1_700_000_000_000;

class Bench {
  now = NOW;
  messages = 0;
  readonly owner: CatalogOwner;

  constructor(strictWaits = false) {
    const { catalog } = catalogBench();
    const clock = () => this.now;
    const moves = new MoveTaskRunner({
      catalog,
      partitions: 1,
      move: () => Promise.reject(new Error('nothing is moved here')),
      approximateCount: () => 0,
      now: clock,
      logger: SILENT_LOGGER,
    });
    const messagesIn = () => this.messages;
    this.owner = new CatalogOwner({ catalog, moves, clock, messagesIn, strictWaits });
  }
}

describe('what is one for all doors', () => {
  it('refuses a second purge of a queue within a minute, where waits are strict', async () => {
    const bench = new Bench(true);
    const { queueId } = await bench.owner.createQueue('orders', {});
    await bench.owner.admitPurge(queueId);
    await bench.owner.admitPurge(queueId + 1);
    bench.now += 59_999;
    await expect(bench.owner.admitPurge(queueId)).rejects.toMatchObject({
      code: 'CAPSTAN_PURGE_IN_PROGRESS',
      detail: 'Only one PurgeQueue operation on orders is allowed every 60 seconds.',
    });
    bench.now += 1;
    await bench.owner.admitPurge(queueId);
  });

  it('lets purges follow each other where waits are not strict', async () => {
    const bench = new Bench();
    await bench.owner.admitPurge(1);
    await bench.owner.admitPurge(1);
  });

  it('keeps every statement of permissions that are added at once', async () => {
    const { owner } = new Bench();
    await owner.createQueue('orders', {});
    const labels = Array.from({ length: 8 }, (_, i) => `label-${i}`);
    const add = (label: string) =>
      owner.editPolicy('orders', {
        kind: 'add',
        label,
        statement: { Sid: label },
        head: { Version: '1' },
      });
    await Promise.all(labels.map(add));
    await expect(add('label-3')).rejects.toMatchObject({ code: 'CAPSTAN_INVALID_ARGUMENT' });
    const remove = (label: string) => owner.editPolicy('orders', { kind: 'remove', label });
    await Promise.all(labels.slice(1).map(remove));
    const { attributes } = await owner.setAttributes('orders', {});
    expect(JSON.parse(attributes.stored['Policy']!)).toEqual({
      Version: '1',
      Statement: [{ Sid: 'label-0' }],
    });
    await expect(remove('label-1')).rejects.toMatchObject({ code: 'CAPSTAN_INVALID_ARGUMENT' });
    expect((await remove('label-0')).attributes.stored).toEqual({});
  });

  it('turns high throughput on and off while a FIFO queue is empty, and no sooner', async () => {
    const bench = new Bench();
    const { owner } = bench;
    await owner.createQueue('row.fifo', { fifo: true });
    const high = {
      deduplicationScope: 'messageGroup',
      throughputLimit: 'perMessageGroupId',
    } as const;
    bench.messages = 1;
    await expect(owner.setAttributes('row.fifo', high)).rejects.toMatchObject({
      code: 'CAPSTAN_INVALID_ARGUMENT',
      detail: expect.stringMatching(/holds 1 messages/) as string,
    });
    // What does not change where groups live may change at any time.
    await owner.setAttributes('row.fifo', { deduplicationScope: 'messageGroup', delayMs: 5 });
    bench.messages = 0;
    const { attributes } = await owner.setAttributes('row.fifo', high);
    expect(attributes).toMatchObject(high);
  });
});
