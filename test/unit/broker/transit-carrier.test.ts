import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/base/errors.ts';
import { SILENT_LOGGER } from '../../../src/base/logger.ts';
import type { TransitRun } from '../../../src/broker/transit-calls.ts';
import { TransitCarrier } from '../../../src/broker/transit-carrier.ts';
import { Definitions } from '../../../src/catalog/definitions.ts';
import { queueDefinition } from '../../support/queue-definitions.ts';

const DOWN = new BrokerError('CAPSTAN_PARTITION_RESTARTING', 'It restarts.');
const GONE = new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', 'It is gone.');

/** Partitions with messages on their way, by their sequences. */
class World {
  readonly definitions = new Definitions([queueDefinition(1, 'there.fifo', { fifo: true })]);
  /** From, then to. */
  readonly onTheirWay: number[][][] = [
    [[], [], []],
    [[], [], []],
    [[], [], []],
  ];
  queueId = 1;
  readonly taken: string[] = [];
  /** Thrown by the next calls, one each. */
  readonly failures: BrokerError[] = [];
  readonly waits: number[] = [];
  readonly carrier = new TransitCarrier({
    partitions: 3,
    definitions: this.definitions,
    logger: SILENT_LOGGER,
    sleep: async (ms) => void this.waits.push(ms),
    calls: {
      first: async (from, to) => {
        const sequences = this.onTheirWay[from]![to]!.slice(0, 2);
        if (sequences.length === 0) return [];
        const payload = new Uint8Array();
        const { queueId } = this;
        const newestSequence = sequences.at(-1)!;
        return [{ queueId, count: sequences.length, newestSequence, payload }];
      },
      takeOver: async (from, to, run: TransitRun) => {
        const failure = this.failures.shift();
        if (failure !== undefined) throw failure;
        this.taken.push(`${from} to ${to}, up to ${run.newestSequence}`);
      },
      arrived: async (from, to, sequence) => {
        const left = this.onTheirWay[from]![to]!.filter((each) => each > sequence);
        this.onTheirWay[from]![to] = left;
      },
    },
  });
}

describe('what carries messages between partitions', () => {
  it('carries all of them in order, and looks no further until there may be more', async () => {
    const world = new World();
    world.onTheirWay[0]![1] = [3, 4, 5];
    world.onTheirWay[0]![2] = [6];
    await world.carrier.carry(0);
    expect(world.taken).toEqual([]);
    world.carrier.attend(0);
    await world.carrier.carry(0);
    expect(world.taken).toEqual(['0 to 1, up to 4', '0 to 1, up to 5', '0 to 2, up to 6']);
    world.onTheirWay[0]![1] = [7];
    await world.carrier.carry(0);
    expect(world.taken).toHaveLength(3);
  });

  it('goes on trying while a partition is down, waiting longer each time', async () => {
    const world = new World();
    world.onTheirWay[1]![0] = [1];
    world.failures.push(DOWN, DOWN, DOWN);
    world.carrier.attend(1);
    await expect(world.carrier.carry(1)).rejects.toBe(DOWN);
    await expect.poll(() => world.taken).toEqual(['1 to 0, up to 1']);
    expect(world.waits).toEqual([20, 40, 80]);
  });

  it('lets messages go with the queue that they go to', async () => {
    const world = new World();
    world.onTheirWay[2]![0] = [1];
    world.queueId = 9;
    world.carrier.attend(2);
    await world.carrier.carry(2);
    expect(world.taken).toEqual([]);
    expect(world.onTheirWay[2]![0]).toEqual([]);
  });

  it('keeps messages of a queue that a partition has still to hear of', async () => {
    const world = new World();
    world.onTheirWay[2]![0] = [1];
    world.failures.push(GONE);
    world.carrier.attend(2);
    await expect(world.carrier.carry(2)).rejects.toBe(GONE);
    await expect.poll(() => world.taken).toEqual(['2 to 0, up to 1']);
  });

  it('takes nothing up once it is closed', async () => {
    const world = new World();
    world.onTheirWay[0]![1] = [1];
    await world.carrier.close();
    world.carrier.attend(0);
    await world.carrier.carry(0).catch(() => undefined);
    expect(world.taken).toEqual([]);
  });
});
