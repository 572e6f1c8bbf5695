import { afterEach, describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../../../src/base/limits.ts';
import { SILENT_LOGGER } from '../../../src/base/logger.ts';
import { DESTINATION_GONE, SOURCE_UNKNOWN } from '../../../src/broker/move-task-run.ts';
import { MoveTaskRunner } from '../../../src/broker/move-task-runner.ts';
import type { MoveTask } from '../../../src/broker/service.ts';
import { catalogBench } from '../../support/catalog-bench.ts';
import { deadLetteringTo } from '../../support/queue-definitions.ts';

const NOW = 1_700_000_000_000;

/** What one partition holds of the dead-letter queue: a message each, movable or not. */
type Held = ('movable' | 'stranded')[];

interface Move {
  readonly atMs: number;
  readonly destination: number;
  readonly partition: number;
  readonly max: number;
  readonly moved: number;
}

class World {
  readonly bench;
  readonly held: Held[];
  readonly moves: Move[] = [];
  now = NOW;
  /** Waits under way; the clock moves only by `pass`. */
  readonly sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  /** Called before each step; may throw, or hold it up. */
  beforeMove: (partition: number) => Promise<void> | void = () => {};
  /** Called after each step. */
  afterMove: (partition: number) => void = () => {};
  runner: MoveTaskRunner;

  constructor(held: Held[], bench = catalogBench()) {
    this.held = held;
    this.bench = bench;
    this.runner = this.#makeRunner();
  }

  static async withQueues(held: Held[]): Promise<World> {
    const world = new World(held);
    const { catalog } = world.bench;
    await catalog.createQueue('dead', {}, {}, NOW);
    await catalog.createQueue('orders', deadLetteringTo('dead'), {}, NOW);
    await catalog.createQueue('elsewhere', {}, {}, NOW);
    await catalog.createQueue('row.fifo', { fifo: true }, {}, NOW);
    return world;
  }

  #makeRunner(): MoveTaskRunner {
    return new MoveTaskRunner({
      catalog: this.bench.catalog,
      partitions: this.held.length,
      move: async (_source, destination, partition, max) => {
        await this.beforeMove(partition);
        const held = this.held[partition]!;
        const seen = held.splice(0, max);
        const stay = seen.filter((each) => each === 'stranded');
        // Those stay, behind the others.
        held.push(...stay);
        const moved = seen.length - stay.length;
        this.moves.push({ atMs: this.now, destination, partition, max, moved });
        this.afterMove(partition);
        return { moved, left: held.length, stranded: stay.length, inTransit: 0 };
      },
      approximateCount: () => this.held.reduce((sum, held) => sum + held.length, 0),
      now: () => this.now,
      logger: SILENT_LOGGER,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          const sleeper = { untilMs: this.now + ms, wake };
          const { sleepers } = this;
          function wake(): void {
            sleepers.delete(sleeper);
            resolve();
          }
          signal.addEventListener('abort', wake, { once: true });
          sleepers.add(sleeper);
        }),
    });
  }

  /** Lets everything happen that happens without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  }

  /** Lets `ms` pass, waking who sleeps as each time comes. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.now + ms;
    await this.settle();
    for (;;) {
      const due = [...this.sleepers].filter((sleeper) => sleeper.untilMs <= untilMs);
      if (due.length === 0) break;
      this.now = Math.max(this.now, Math.min(...due.map((sleeper) => sleeper.untilMs)));
      for (const sleeper of due) if (sleeper.untilMs <= this.now) sleeper.wake();
      await this.settle();
    }
    this.now = untilMs;
  }

  async newest(source = 'dead'): Promise<MoveTask> {
    return (await this.runner.list(source, 1))[0]!;
  }

  /** The world as a process would find it that starts now, after this one was killed. */
  restarted(): World {
    const next = new World(this.held, this.bench.reopen());
    next.now = this.now;
    worlds.push(next);
    return next;
  }
}

const worlds: World[] = [];

function movable(count: number): Held {
  return new Array<'movable'>(count).fill('movable');
}

function stranded(count: number): Held {
  return new Array<'stranded'>(count).fill('stranded');
}

async function worldOf(...held: (number | Held)[]): Promise<World> {
  const world = await World.withQueues(
    held.map((each) => (typeof each === 'number' ? movable(each) : each)),
  );
  worlds.push(world);
  return world;
}

afterEach(async () => {
  for (const world of worlds.splice(0)) {
    world.beforeMove = () => {};
    await world.runner.close();
    expect(world.sleepers.size, 'no timer outlives its task').toBe(0);
  }
});

function rejection(code: string, words = /./) {
  return expect.objectContaining({ code, message: expect.stringMatching(words) });
}

function restarting(): never {
  throw new BrokerError('CAPSTAN_PARTITION_RESTARTING', 'Partition 1 is restarting.');
}

describe('starting a move task', () => {
  it('is refused for queues that do not exist', async () => {
    const { runner } = await worldOf(1);
    await expect(runner.start('no', undefined, undefined)).rejects.toEqual(
      rejection('CAPSTAN_RESOURCE_NOT_FOUND', /source "no"/),
    );
    await expect(runner.start('dead', 'no', undefined)).rejects.toEqual(
      rejection('CAPSTAN_RESOURCE_NOT_FOUND', /destination "no"/),
    );
  });

  it('is refused for a source that is no dead-letter queue', async () => {
    const { runner } = await worldOf(1);
    await expect(runner.start('orders', undefined, undefined)).rejects.toEqual(
      rejection('CAPSTAN_INVALID_ARGUMENT', /dead-letter queue/),
    );
  });

  it('is refused when the destination is the source, or of the other kind', async () => {
    const { runner } = await worldOf(1);
    await expect(runner.start('dead', 'dead', undefined)).rejects.toEqual(
      rejection('CAPSTAN_INVALID_ARGUMENT', /same queue/),
    );
    await expect(runner.start('dead', 'row.fifo', undefined)).rejects.toEqual(
      rejection('CAPSTAN_INVALID_ARGUMENT', /FIFO/),
    );
  });

  it('is refused for a rate that is not 1 to 500', async () => {
    const { runner } = await worldOf(1);
    for (const rate of [0, 501, 1.5, Number.NaN]) {
      await expect(runner.start('dead', undefined, rate)).rejects.toEqual(
        rejection('CAPSTAN_INVALID_ARGUMENT', /1 to 500/),
      );
    }
  });

  it('is refused while the source has a running task, and allowed after that', async () => {
    const world = await worldOf(5);
    await world.runner.start('dead', undefined, 1);
    await expect(world.runner.start('dead', 'elsewhere', undefined)).rejects.toEqual(
      rejection('CAPSTAN_INVALID_ARGUMENT', /already a task running/),
    );
    await world.pass(5_000);
    await world.runner.start('dead', 'elsewhere', undefined);
    await world.settle();
    expect((await world.runner.list('dead', 10)).map((task) => task.status)).toEqual([
      'COMPLETED',
      'COMPLETED',
    ]);
  });

  it('of two at once lets one through', async () => {
    const world = await worldOf(1);
    const starts = [1, 2].map(() => world.runner.start('dead', undefined, undefined));
    const outcomes = await Promise.allSettled(starts);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('that cannot be recorded moves nothing', async () => {
    const world = await worldOf(3);
    world.bench.storage.failNextCommit = { reachesDisk: false };
    await expect(world.runner.start('dead', undefined, undefined)).rejects.toEqual(
      rejection('CAPSTAN_LOG_WRITE_FAILED'),
    );
    await world.settle();
    expect(world.moves).toEqual([]);
  });
});

describe('a running move task', () => {
  it('moves everything that every partition holds, in large steps, and completes', async () => {
    const world = await worldOf(2_500, 0, 700);
    const started = await world.runner.start('dead', undefined, undefined);
    expect(started).toMatchObject({ status: 'RUNNING', moved: 0, toMove: 3_200 });
    await world.settle();
    expect(world.held).toEqual([[], [], []]);
    expect(world.moves.every(({ destination }) => destination === 0)).toBe(true);
    expect(world.moves[0]!.max).toBe(BATCH_ENTRIES_MAX);
    expect(await world.newest()).toEqual({ ...started, status: 'COMPLETED', moved: 3_200 });
  });

  it('sends everything to the destination that it was given', async () => {
    const world = await worldOf(3);
    const { queueId } = world.bench.catalog.definitions.find('elsewhere')!;
    await world.runner.start('dead', 'elsewhere', undefined);
    await world.settle();
    expect(world.moves).toMatchObject([{ destination: queueId, moved: 3 }]);
    expect(await world.newest()).toMatchObject({ destination: 'elsewhere', status: 'COMPLETED' });
  });

  it('takes the partitions in turns', async () => {
    const world = await worldOf(3_000, 3_000);
    await world.runner.start('dead', undefined, undefined);
    await world.settle();
    expect(world.moves.map(({ partition }) => partition)).toEqual([0, 1, 0, 1, 0, 1]);
  });

  it('never exceeds its rate, and keeps up with it', async () => {
    for (const rate of [1, 7, 100, 500]) {
      const world = await worldOf(rate * 3, rate * 2);
      await world.runner.start('dead', undefined, rate);
      for (let second = 1; second <= 5; second++) {
        await world.pass(1_000);
        const { moved } = await world.newest();
        // The first step is not waited for.
        expect(moved).toBeLessThanOrEqual(second * rate + Math.max(1, rate / 10));
        expect(moved).toBeGreaterThanOrEqual(second * rate - Math.max(1, rate / 10));
      }
      await world.pass(1_000);
      expect(await world.newest()).toMatchObject({ status: 'COMPLETED', moved: rate * 5 });
    }
  });

  it('ends although what it moves keeps coming back', async () => {
    const world = await worldOf(1_500, 10);
    world.afterMove = (partition) => {
      world.held[partition]!.push(...movable(world.moves.at(-1)!.moved));
    };
    await world.runner.start('dead', undefined, undefined);
    await world.settle();
    expect(await world.newest()).toMatchObject({ status: 'COMPLETED' });
    expect((await world.newest()).moved).toBeLessThanOrEqual(2 * 1_510);
  });

  it('fails with a reason when only messages of an unknown source remain', async () => {
    const world = await worldOf([...stranded(2), ...movable(5)], 1);
    await world.runner.start('dead', undefined, undefined);
    await world.settle();
    expect(await world.newest()).toMatchObject({
      status: 'FAILED',
      failureReason: SOURCE_UNKNOWN,
      moved: 6,
      toMove: 8,
    });
  });

  it('gets past any number of messages that have to stay', async () => {
    const world = await worldOf([...stranded(5_000), ...movable(2_500), ...stranded(10)]);
    await world.runner.start('dead', undefined, 500);
    await world.pass(10_000);
    expect(world.held[0]).toEqual(stranded(5_010));
    expect(await world.newest()).toMatchObject({ status: 'FAILED', moved: 2_500 });
  });

  it('asks a partition that restarts again, and moves on in the others meanwhile', async () => {
    const world = await worldOf(2_000, 5);
    world.beforeMove = (partition) => {
      if (partition === 1) restarting();
    };
    await world.runner.start('dead', undefined, undefined);
    await world.pass(10_000);
    expect(world.held[0]).toEqual([]);
    expect(await world.newest()).toMatchObject({ status: 'RUNNING', moved: 2_000 });
    world.beforeMove = () => {};
    await world.pass(10_000);
    expect(await world.newest()).toMatchObject({ status: 'COMPLETED', moved: 2_005 });
  });

  it('backs off from a partition that stays away', async () => {
    const world = await worldOf(5);
    let asked = 0;
    world.beforeMove = () => {
      asked++;
      restarting();
    };
    await world.runner.start('dead', undefined, undefined);
    await world.pass(60_000);
    expect(asked).toBeGreaterThan(10);
    expect(asked).toBeLessThan(30);
  });

  it('fails when its destination is deleted', async () => {
    const world = await worldOf(100);
    await world.runner.start('dead', 'elsewhere', 10);
    await world.pass(1_000);
    await world.bench.catalog.deleteQueue('elsewhere', world.now);
    await world.pass(1_000);
    const task = await world.newest();
    expect(task).toMatchObject({ status: 'FAILED', failureReason: DESTINATION_GONE });
    expect(task.moved + world.held[0]!.length).toBe(100);
  });

  it('ends with its source', async () => {
    const world = await worldOf(100);
    await world.runner.start('dead', undefined, 10);
    await world.pass(1_000);
    await world.bench.catalog.deleteQueue('dead', world.now);
    await world.pass(10_000);
    expect(world.held[0]!.length).toBeGreaterThan(80);
    expect(world.bench.catalog.unfinishedMoveTasks()).toEqual([]);
  });

  it('fails on an answer that no retry will better, and says which', async () => {
    const world = await worldOf(3);
    world.beforeMove = () => {
      throw new BrokerError('CAPSTAN_UNSUPPORTED_OPERATION', 'Not here.');
    };
    await world.runner.start('dead', undefined, undefined);
    await world.settle();
    expect(await world.newest()).toMatchObject({
      status: 'FAILED',
      failureReason: 'CAPSTAN_UNSUPPORTED_OPERATION',
    });
  });

  it('tries to record its end until that succeeds', async () => {
    const world = await worldOf(1);
    world.afterMove = () => {
      world.bench.storage.failNextCommit = { reachesDisk: false };
    };
    await world.runner.start('dead', undefined, undefined);
    await world.settle();
    expect((await world.newest()).status).toBe('RUNNING');
    await world.pass(1_000);
    expect(await world.newest()).toMatchObject({ status: 'COMPLETED', moved: 1 });
    expect(await world.restarted().newest()).toMatchObject({ status: 'COMPLETED', moved: 1 });
  });
});

describe('cancelling a move task', () => {
  it('stops it, and keeps what was moved and counted', async () => {
    const world = await worldOf(100);
    const { taskId } = await world.runner.start('dead', undefined, 10);
    await world.pass(2_000);
    const cancelled = await world.runner.cancel(taskId);
    expect(cancelled.status).toBe('CANCELLING');
    await world.settle();
    const { moves } = world;
    const moved = moves.reduce((sum, move) => sum + move.moved, 0);
    expect(await world.newest()).toMatchObject({ status: 'CANCELLED', moved, toMove: 100 });
    expect(moved).toBe(cancelled.moved);
    await world.pass(10_000);
    expect(moves.reduce((sum, move) => sum + move.moved, 0)).toBe(moved);
  });

  it('lets the step that is under way end, and counts it', async () => {
    const world = await worldOf(3_000);
    let release = (): void => {};
    world.beforeMove = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const { taskId } = await world.runner.start('dead', undefined, undefined);
    await world.runner.cancel(taskId);
    expect(await world.newest()).toMatchObject({ status: 'CANCELLING', moved: 0 });
    release();
    await world.settle();
    expect(await world.newest()).toMatchObject({ status: 'CANCELLED', moved: 1_000 });
  });

  it('twice is the same as once', async () => {
    const world = await worldOf(100);
    const { taskId } = await world.runner.start('dead', undefined, 1);
    const both = await Promise.all([world.runner.cancel(taskId), world.runner.cancel(taskId)]);
    expect(both.map(({ status }) => status)).toEqual(['CANCELLING', 'CANCELLING']);
  });

  it('that cannot be recorded leaves it running', async () => {
    const world = await worldOf(100);
    const { taskId } = await world.runner.start('dead', undefined, 10);
    world.bench.storage.failNextCommit = { reachesDisk: false };
    await expect(world.runner.cancel(taskId)).rejects.toEqual(
      rejection('CAPSTAN_LOG_WRITE_FAILED'),
    );
    await world.pass(15_000);
    expect(await world.newest()).toMatchObject({ status: 'COMPLETED', moved: 100 });
  });

  it('is refused for a task that does not exist or has ended', async () => {
    const world = await worldOf(1);
    await expect(world.runner.cancel('nothing')).rejects.toEqual(
      rejection('CAPSTAN_RESOURCE_NOT_FOUND', /does not exist/),
    );
    const { taskId } = await world.runner.start('dead', undefined, undefined);
    await world.settle();
    await expect(world.runner.cancel(taskId)).rejects.toEqual(
      rejection('CAPSTAN_RESOURCE_NOT_FOUND', /COMPLETED/),
    );
  });
});

describe('a restart of the broker', () => {
  it('goes on with a task, at its rate and with its count', async () => {
    const world = await worldOf(100);
    const { taskId } = await world.runner.start('dead', 'elsewhere', 10);
    await world.pass(4_000);
    await world.runner.close();
    const { moved } = await world.newest();
    expect(moved).toBeGreaterThan(30);
    const next = world.restarted();
    expect(await next.newest()).toMatchObject({ taskId, status: 'RUNNING', moved });
    await next.pass(5_000);
    expect(next.moves, 'nothing moves before it is told to').toEqual([]);
    next.runner.resume();
    await next.pass(20_000);
    expect(await next.newest()).toMatchObject({
      taskId,
      status: 'COMPLETED',
      moved: 100,
      toMove: 100,
      messagesPerSecondMax: 10,
    });
    const { queueId } = next.bench.catalog.definitions.find('elsewhere')!;
    expect(next.moves.every(({ destination }) => destination === queueId)).toBe(true);
  });

  it('by a kill loses of the count at most what was moved in the last second', async () => {
    const world = await worldOf(1_000);
    await world.runner.start('dead', undefined, 100);
    await world.pass(5_000);
    const known = (await world.newest()).moved;
    const next = world.restarted();
    const recorded = (await next.newest()).moved;
    expect(recorded).toBeGreaterThanOrEqual(known - 120);
    expect(recorded).toBeLessThanOrEqual(known);
    await world.runner.close();
    next.runner.resume();
    await next.pass(20_000);
    expect(world.held[0]).toEqual([]);
    expect((await next.newest()).status).toBe('COMPLETED');
  });

  it('does not record each message', async () => {
    const world = await worldOf(5_000);
    await world.runner.start('dead', undefined, 500);
    const before = world.bench.storage.commits;
    await world.pass(11_000);
    expect(world.bench.storage.commits - before).toBeLessThan(15);
  });

  it('ends a task that was being cancelled', async () => {
    const world = await worldOf(100);
    const { taskId } = await world.runner.start('dead', undefined, 10);
    world.beforeMove = () => new Promise(() => {});
    await world.pass(1_000);
    await world.runner.cancel(taskId);
    const next = world.restarted();
    next.runner.resume();
    await next.pass(1_000);
    expect(await next.newest()).toMatchObject({ taskId, status: 'CANCELLED' });
    expect(next.moves).toEqual([]);
    worlds.splice(worlds.indexOf(world), 1); // Its step never ends; it has no timer.
  });

  it('takes no new task while it closes', async () => {
    const world = await worldOf(1);
    await world.runner.close();
    await expect(world.runner.start('dead', undefined, undefined)).rejects.toEqual(
      rejection('CAPSTAN_CLOSED'),
    );
  });
});

describe('listing move tasks', () => {
  it('shows the newest first, and no more than asked for', async () => {
    const world = await worldOf(0);
    const started: string[] = [];
    for (let index = 0; index < 4; index++) {
      started.unshift((await world.runner.start('dead', undefined, undefined)).taskId);
      await world.pass(10);
    }
    const ids = (await world.runner.list('dead', 3)).map(({ taskId }) => taskId);
    expect(ids).toEqual(started.slice(0, 3));
    expect(await world.runner.list('orders', 3)).toEqual([]);
  });

  it('shows no internal fields', async () => {
    const world = await worldOf(0);
    await world.runner.start('dead', 'elsewhere', 5);
    expect(Object.keys(await world.newest()).toSorted()).toEqual(
      [
        'taskId',
        'source',
        'destination',
        'messagesPerSecondMax',
        'status',
        'moved',
        'toMove',
        'startedAtMs',
        'failureReason',
      ].toSorted(),
    );
  });

  it('is refused for a queue that does not exist', async () => {
    const { runner } = await worldOf(0);
    await expect(runner.list('no', 1)).rejects.toEqual(rejection('CAPSTAN_RESOURCE_NOT_FOUND'));
  });
});
