import { describe, expect, it } from 'vitest';
import { type CatalogChange, Definitions } from '../../../src/catalog/definitions.ts';
import { affectedBy, settingsOf } from '../../../src/catalog/queue-settings.ts';
import { textHash } from '../../../src/command/placement.ts';
import { deadLetteringTo, queueDefinition } from '../../support/queue-definitions.ts';

const dead = queueDefinition(1, 'dead');
const source = queueDefinition(2, 'source', deadLetteringTo('dead', 5));

function affectedNames(change: CatalogChange, definitions: Definitions): string[] {
  definitions.apply(change);
  return affectedBy(change, definitions).map(({ name }) => name);
}

describe("a queue's settings", () => {
  it('are what a partition needs of its attributes', () => {
    const retryBackoff = { baseMs: 10, factor: 2, maxMs: 100 };
    const queue = queueDefinition(9, 'q.fifo', {
      fifo: true,
      visibilityTimeoutMs: 1,
      delayMs: 2,
      retentionMs: 60_000,
      inFlightMax: 4,
      deduplicationScope: 'messageGroup',
      retryBackoff,
    });
    expect(settingsOf(queue, new Definitions([queue]))).toEqual({
      queueId: 9,
      boardRow: 9,
      fifo: true,
      visibilityTimeoutMs: 1,
      delayMs: 2,
      retentionMs: 60_000,
      inFlightMax: 4,
      deduplicationPerGroup: true,
      placementKey: textHash('q.fifo'),
      deadLetterQueueId: 0,
      maxReceiveCount: 0,
      retryBackoff,
    });
  });

  it('name the dead-letter queue while it exists, and whichever has its name', () => {
    const linked = { deadLetterQueueId: 1, maxReceiveCount: 5 };
    expect(settingsOf(source, new Definitions([dead, source]))).toMatchObject(linked);
    const alone = new Definitions([source]);
    expect(settingsOf(source, alone)).toMatchObject({ deadLetterQueueId: 0 });
    const again = new Definitions([source, queueDefinition(7, 'dead')]);
    expect(settingsOf(source, again)).toMatchObject({ deadLetterQueueId: 7 });
  });

  it('change for the queue that was changed', () => {
    const definitions = new Definitions([dead, source]);
    const changed = queueDefinition(2, 'source', { visibilityTimeoutMs: 5 });
    const change: CatalogChange = { kind: 'defined', definition: changed, created: false };
    expect(affectedNames(change, definitions)).toEqual(['source']);
  });

  it('change for the sources of a dead-letter queue that comes or goes', () => {
    const definitions = new Definitions([source]);
    const created: CatalogChange = { kind: 'defined', definition: dead, created: true };
    expect(affectedNames(created, definitions)).toEqual(['dead', 'source']);
    const changed: CatalogChange = { kind: 'defined', definition: dead, created: false };
    expect(affectedNames(changed, definitions)).toEqual(['dead']);
    expect(affectedNames({ kind: 'deleted', definition: dead }, definitions)).toEqual(['source']);
  });
});
