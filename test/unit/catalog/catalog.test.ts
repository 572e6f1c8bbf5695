import { describe, expect, it } from 'vitest';
import type { MoveTaskRecord } from '../../../src/catalog/move-task.ts';
import type { QueueAttributes } from '../../../src/command/queue-definition.ts';
import { catalogBench } from '../../support/catalog-bench.ts';
import { MemoryStorage } from '../../support/memory-log.ts';
import { deadLetteringTo } from '../../support/queue-definitions.ts';

const NOW = 1_700_000_000_000;

function rejection(code: string, words = /./) {
  return expect.objectContaining({ code, message: expect.stringMatching(words) });
}

/** Attributes as they may come from another thread, or from a program without types. */
function asGiven(
  attributes: { [Key in keyof QueueAttributes]?: QueueAttributes[Key] | undefined },
) {
  return attributes as object as Partial<QueueAttributes>;
}

describe('creating a queue', () => {
  it('fills in defaults, and is durable and told to others when it resolves', async () => {
    const bench = catalogBench();
    const created = await bench.catalog.createQueue('a', { delayMs: 5 }, { team: 'x' }, NOW);
    expect(created).toMatchObject({
      queueId: 1,
      boardRow: 0,
      name: 'a',
      attributes: { delayMs: 5, visibilityTimeoutMs: 30_000, inFlightMax: 120_000, fifo: false },
      tags: { team: 'x' },
      createdAtMs: NOW,
      modifiedAtMs: NOW,
    });
    expect(bench.changes).toEqual([{ kind: 'defined', definition: created, created: true }]);
    expect(bench.catalog.definitions.find('a')).toEqual(created);
    expect(bench.reopen().catalog.definitions.find('a')).toEqual(created);
  });

  it('again returns the same queue when every given attribute equals its own', async () => {
    const { catalog, changes } = catalogBench();
    const attributes = { delayMs: 5, stored: { Policy: '{}' } };
    const created = await catalog.createQueue('a', attributes, {}, NOW);
    expect(await catalog.createQueue('a', attributes, {}, NOW + 1)).toEqual(created);
    expect(await catalog.createQueue('a', {}, {}, NOW + 1)).toEqual(created);
    const reset = asGiven({ visibilityTimeoutMs: undefined });
    expect(await catalog.createQueue('a', reset, {}, NOW)).toEqual(created);
    expect(changes).toHaveLength(1);
  });

  it('again with another attribute is refused, and says which', async () => {
    const { catalog } = catalogBench();
    await catalog.createQueue('dead', {}, {}, NOW);
    await catalog.createQueue('a', { delayMs: 5, ...deadLetteringTo('dead') }, {}, NOW);
    const differences: Partial<QueueAttributes>[] = [
      { delayMs: 6 },
      { delayMs: 5, visibilityTimeoutMs: 1 },
      asGiven({ delayMs: undefined }),
      deadLetteringTo('dead', 4),
      { redrivePolicy: undefined },
      { stored: { Policy: '{}' } },
      { fifo: true },
    ];
    for (const given of differences) {
      const creation = catalog.createQueue('a', given, {}, NOW);
      await expect(creation, JSON.stringify(given)).rejects.toEqual(
        rejection('CAPSTAN_QUEUE_NAME_EXISTS', new RegExp(Object.keys(given).at(-1)!)),
      );
    }
  });

  it('again while the first is not durable yet waits for it', async () => {
    const { catalog, storage, changes } = catalogBench();
    storage.holdCommits = true;
    const settled: string[] = [];
    const first = catalog.createQueue('a', {}, {}, NOW).then(() => settled.push('first'));
    const second = catalog.createQueue('a', {}, {}, NOW).then(() => settled.push('second'));
    await new Promise(setImmediate);
    expect(settled).toEqual([]);
    expect(catalog.definitions.find('a')).toBeUndefined();
    expect(changes).toEqual([]);
    storage.endCommits();
    await Promise.all([first, second]);
    expect(settled).toEqual(['first', 'second']);
    expect(changes).toHaveLength(1);
  });

  it('many at once shares a commit', async () => {
    const { catalog, storage, changes } = catalogBench();
    const names = Array.from({ length: 500 }, (_, index) => `q${index}`);
    await Promise.all(names.map((name) => catalog.createQueue(name, {}, {}, NOW)));
    expect(storage.commits).toBe(1);
    expect(changes.map(({ definition }) => definition.name)).toEqual(names);
  });

  it('is refused past the number of rows of the board', async () => {
    const { catalog } = catalogBench({ boardRows: 2 });
    await catalog.createQueue('a', {}, {}, NOW);
    await catalog.createQueue('b', {}, {}, NOW);
    const third = () => catalog.createQueue('c', {}, {}, NOW);
    await expect(third()).rejects.toEqual(rejection('CAPSTAN_TOO_MANY_QUEUES', /2 queues/));
    await catalog.deleteQueue('a', NOW);
    expect(await third()).toMatchObject({ queueId: 3, boardRow: 0 });
  });

  it('waits until everyone knows of the queue', async () => {
    let tellAll = () => {};
    const told = new Promise<void>((resolve) => {
      tellAll = resolve;
    });
    const { catalog } = catalogBench({ onChange: () => told });
    let resolved = false;
    const creation = catalog.createQueue('a', {}, {}, NOW).then(() => {
      resolved = true;
    });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(catalog.definitions.find('a')).toBeDefined();
    expect(resolved).toBe(false);
    tellAll();
    await creation;
  });
});

describe('deleting a queue', () => {
  it('frees its name and its row, but not its id, also across restarts', async () => {
    let bench = catalogBench({ boardRows: 1 });
    for (let life = 1; life <= 3; life++) {
      const created = await bench.catalog.createQueue('a', {}, {}, NOW + life);
      expect(created).toMatchObject({ queueId: life, boardRow: 0 });
      expect(await bench.catalog.deleteQueue('a', NOW + life)).toEqual(created);
      expect(bench.changes.at(-1)).toEqual({ kind: 'deleted', definition: created });
      bench = bench.reopen();
      expect(bench.catalog.definitions.size).toBe(0);
    }
  });

  it('that does not exist is refused', async () => {
    const { catalog } = catalogBench();
    const refusal = rejection('CAPSTAN_QUEUE_DOES_NOT_EXIST', /"a"/);
    await expect(catalog.deleteQueue('a', NOW)).rejects.toEqual(refusal);
    await expect(catalog.setAttributes('a', {}, NOW)).rejects.toEqual(refusal);
    await expect(catalog.setTags('a', {}, [], NOW)).rejects.toEqual(refusal);
  });

  it('gives its row out again only after all others', async () => {
    const { catalog } = catalogBench({ boardRows: 4 });
    const rowOf = async (name: string) => (await catalog.createQueue(name, {}, {}, NOW)).boardRow;
    expect([await rowOf('a'), await rowOf('b')]).toEqual([0, 1]);
    await catalog.deleteQueue('a', NOW);
    expect([await rowOf('c'), await rowOf('d'), await rowOf('e')]).toEqual([2, 3, 0]);
  });

  it('keeps its name unusable for 60 seconds where waits are strict, and restarts', async () => {
    const bench = catalogBench({ strictWaits: true });
    await bench.catalog.createQueue('a', {}, {}, NOW);
    await bench.catalog.deleteQueue('a', NOW);
    const refusal = rejection('CAPSTAN_QUEUE_DELETED_RECENTLY');
    await expect(bench.catalog.createQueue('a', {}, {}, NOW + 59_999)).rejects.toEqual(refusal);
    const { catalog } = bench.reopen();
    await expect(catalog.createQueue('a', {}, {}, NOW + 59_999)).rejects.toEqual(refusal);
    expect(await catalog.createQueue('a', {}, {}, NOW + 60_000)).toMatchObject({ queueId: 2 });
  });
});

describe('changing a queue', () => {
  it('keeps what is left out, and resets what is undefined', async () => {
    const bench = catalogBench();
    const { catalog } = bench;
    await catalog.createQueue('dead', {}, {}, NOW);
    await catalog.createQueue('a', { delayMs: 5, ...deadLetteringTo('dead') }, {}, NOW);
    const changed = await catalog.setAttributes('a', { visibilityTimeoutMs: 7 }, NOW + 1);
    expect(changed).toMatchObject({
      attributes: { visibilityTimeoutMs: 7, delayMs: 5, ...deadLetteringTo('dead') },
      createdAtMs: NOW,
      modifiedAtMs: NOW + 1,
    });
    const reset = asGiven({ redrivePolicy: undefined, visibilityTimeoutMs: undefined });
    const { attributes } = await catalog.setAttributes('a', reset, NOW + 2);
    expect(attributes).toMatchObject({ visibilityTimeoutMs: 30_000, delayMs: 5 });
    expect(attributes).not.toHaveProperty('redrivePolicy');
    expect(bench.changes.at(-1)).toMatchObject({ kind: 'defined', created: false });
    expect(bench.reopen().catalog.definitions.find('a')).toMatchObject({ attributes });
  });

  it('to what it is already changes nothing', async () => {
    const { catalog, changes, storage } = catalogBench();
    const created = await catalog.createQueue('a', { delayMs: 5 }, { x: '1' }, NOW);
    const { commits } = storage;
    expect(await catalog.setAttributes('a', { delayMs: 5 }, NOW + 1)).toEqual(created);
    expect(await catalog.setTags('a', { x: '1' }, ['y'], NOW + 1)).toEqual(created);
    expect(changes).toHaveLength(1);
    expect(storage.commits).toBe(commits);
  });

  it('merges what is only stored; an empty text removes it', async () => {
    const { catalog } = catalogBench();
    await catalog.createQueue('a', { stored: { Policy: 'p', KmsMasterKeyId: 'k' } }, {}, NOW);
    const stored = { Policy: '', SqsManagedSseEnabled: 'true' };
    const { attributes } = await catalog.setAttributes('a', { stored }, NOW);
    expect(attributes.stored).toEqual({ KmsMasterKeyId: 'k', SqsManagedSseEnabled: 'true' });
  });

  it('cannot make a FIFO queue of it', async () => {
    const { catalog } = catalogBench();
    await catalog.createQueue('a', {}, {}, NOW);
    await expect(catalog.setAttributes('a', { fifo: true }, NOW)).rejects.toEqual(
      rejection('CAPSTAN_INVALID_ARGUMENT', /FIFO/),
    );
  });

  it('adds and removes tags', async () => {
    const bench = catalogBench();
    await bench.catalog.createQueue('a', {}, { x: '1', y: '2' }, NOW);
    const { tags } = await bench.catalog.setTags('a', { x: '3', z: '4' }, ['y', 'none'], NOW);
    expect(tags).toEqual({ x: '3', z: '4' });
    expect(bench.reopen().catalog.definitions.find('a')).toMatchObject({ tags });
  });

  it('looks for a dead-letter queue that is gone only when the policy is changed', async () => {
    const { catalog } = catalogBench();
    await catalog.createQueue('dead', {}, {}, NOW);
    await catalog.createQueue('a', deadLetteringTo('dead'), {}, NOW);
    await catalog.deleteQueue('dead', NOW);
    await expect(catalog.setAttributes('a', { delayMs: 1 }, NOW)).resolves.toBeDefined();
    await expect(catalog.setAttributes('a', deadLetteringTo('dead', 9), NOW)).rejects.toEqual(
      rejection('CAPSTAN_INVALID_ARGUMENT', /does not exist/),
    );
  });
});

describe('move tasks', () => {
  const task: MoveTaskRecord = {
    taskId: 't1',
    source: 'dead',
    sourceQueueId: 1,
    destination: undefined,
    destinationQueueId: 0,
    messagesPerSecondMax: undefined,
    status: 'RUNNING',
    moved: 0,
    toMove: 10,
    startedAtMs: NOW,
    failureReason: undefined,
  };

  it('survive a restart as they were last recorded', async () => {
    const bench = catalogBench();
    await bench.catalog.createQueue('dead', {}, {}, NOW);
    await bench.catalog.putMoveTask(task);
    await bench.catalog.putMoveTask({ ...task, moved: 5 });
    const { catalog } = bench.reopen();
    expect(catalog.findMoveTask('t1')).toMatchObject({ moved: 5, status: 'RUNNING' });
    expect(catalog.unfinishedMoveTasks()).toHaveLength(1);
    await catalog.putMoveTask({ ...task, status: 'COMPLETED', moved: 10 });
    expect(catalog.unfinishedMoveTasks()).toEqual([]);
  });

  it('are listed the newest first, of one source, and the last ten are kept', async () => {
    const bench = catalogBench();
    await bench.catalog.createQueue('dead', {}, {}, NOW);
    await bench.catalog.createQueue('other', {}, {}, NOW);
    for (let index = 1; index <= 13; index++) {
      const ended = { ...task, taskId: `t${index}`, status: 'COMPLETED' as const };
      await bench.catalog.putMoveTask({ ...ended, startedAtMs: NOW + index });
    }
    await bench.catalog.putMoveTask({ ...task, taskId: 'u', sourceQueueId: 2 });
    for (const { catalog } of [bench, bench.reopen()]) {
      const ids = catalog.moveTasks(1).map(({ taskId }) => taskId);
      expect(ids).toEqual(['t13', 't12', 't11', 't10', 't9', 't8', 't7', 't6', 't5', 't4']);
      expect(catalog.moveTasks(2)).toHaveLength(1);
    }
  });

  it('go with their source', async () => {
    const { catalog } = catalogBench();
    await catalog.createQueue('dead', {}, {}, NOW);
    await catalog.putMoveTask(task);
    await catalog.deleteQueue('dead', NOW);
    expect(catalog.findMoveTask('t1')).toBeUndefined();
    await catalog.putMoveTask({ ...task, status: 'FAILED' });
    expect(catalog.findMoveTask('t1')).toBeUndefined();
  });
});

describe('closing the catalog', () => {
  it('ends what is under way, and refuses what comes after', async () => {
    const bench = catalogBench();
    const creation = bench.catalog.createQueue('a', {}, {}, NOW);
    await bench.catalog.close();
    await expect(creation).resolves.toMatchObject({ name: 'a' });
    await expect(bench.catalog.createQueue('b', {}, {}, NOW)).rejects.toEqual(
      rejection('CAPSTAN_CLOSED'),
    );
    await bench.catalog.close();
    expect(bench.reopen().catalog.definitions.size).toBe(1);
  });
});

describe('a catalog whose disk fails', () => {
  it('refuses what finds no room, and goes on once there is', async () => {
    const { catalog, storage } = catalogBench();
    storage.full = true;
    await expect(catalog.createQueue('a', {}, {}, NOW)).rejects.toEqual(
      rejection('CAPSTAN_DISK_FULL'),
    );
    storage.full = false;
    expect(await catalog.createQueue('a', {}, {}, NOW)).toMatchObject({ queueId: 1, boardRow: 0 });
  });

  it('rejects what a failed commit took, and does not show it', async () => {
    const { catalog, storage, changes } = catalogBench();
    await catalog.createQueue('kept', {}, {}, NOW);
    storage.failNextCommit = { reachesDisk: false };
    const lost = ['a', 'b'].map((name) => catalog.createQueue(name, {}, {}, NOW));
    for (const creation of lost) {
      await expect(creation).rejects.toEqual(rejection('CAPSTAN_LOG_WRITE_FAILED'));
    }
    expect(catalog.definitions.find('a')).toBeUndefined();
    expect(await catalog.createQueue('c', {}, {}, NOW)).toMatchObject({ queueId: 2 });
    expect(changes.map(({ definition }) => definition.name)).toEqual(['kept', 'c']);
  });

  it('recovers what a failed commit left on the disk, and tells others of it', async () => {
    const bench = catalogBench();
    await bench.catalog.createQueue('gone', {}, {}, NOW);
    await bench.catalog.createQueue('changed', {}, {}, NOW);
    bench.storage.failNextCommit = { reachesDisk: true };
    const outcomes = await Promise.allSettled([
      bench.catalog.createQueue('a', {}, {}, NOW),
      bench.catalog.setAttributes('changed', { delayMs: 1 }, NOW),
      bench.catalog.deleteQueue('gone', NOW),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(bench.changes).toHaveLength(2);
    // The next change finds them, whatever it is.
    expect(await bench.catalog.createQueue('b', {}, {}, NOW)).toMatchObject({ queueId: 4 });
    const told = bench.changes.slice(2).map(({ kind, definition }) => [kind, definition.name]);
    expect(told).toEqual([
      ['deleted', 'gone'],
      ['defined', 'changed'],
      ['defined', 'a'],
      ['defined', 'b'],
    ]);
    const names = (queues: { name: string }[]) => queues.map(({ name }) => name);
    const expected = ['a', 'b', 'changed'];
    expect(names(bench.catalog.definitions.list({ max: 9 }))).toEqual(expected);
    expect(names(bench.reopen().catalog.definitions.list({ max: 9 }))).toEqual(expected);
  });

  it('that cannot be opened again says so for each change', async () => {
    const storage = new MemoryStorage();
    let opened = 0;
    const { catalog } = catalogBench({
      openLog: (replay) => {
        if (opened++ === 1) throw new Error('not yet');
        return storage.open(replay);
      },
    });
    storage.failNextCommit = { reachesDisk: false };
    await expect(catalog.createQueue('a', {}, {}, NOW)).rejects.toThrow(/made to fail/);
    await expect(catalog.createQueue('a', {}, {}, NOW)).rejects.toThrow('not yet');
    await expect(catalog.createQueue('a', {}, {}, NOW)).resolves.toMatchObject({ queueId: 1 });
  });
});
