/* What a simulation acts on: the real partitions on faulty disks, and the rings to them, all on one
 * thread and one simulated clock. */

import { allocateBoard, Board } from '../../src/command/board.ts';
import type { QueueSettings } from '../../src/command/queue-definition.ts';
import { openWal } from '../../src/log/wal/wal.ts';
import { Partition, RouterLink } from '../../src/partition/partition.ts';
import { MessageStore } from '../../src/queue/message-store.ts';
import { QueueState } from '../../src/queue/queue-state.ts';
import { replayRecord } from '../../src/queue/replay.ts';
import { DuplexClientEnd, type DuplexMemory, DuplexServerEnd } from '../../src/ring/duplex.ts';
import { FaultyStorage, ProcessDied } from '../support/faulty-storage.ts';
import { HeldSyncer } from '../support/held-syncer.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { checkInvariants } from '../support/state-invariants.ts';
import { emptyRings } from './rings.ts';

export const SEGMENT_BYTES = 8192;
const BOARD_ROWS = 64;
const TABLE_ROWS = 256;
/** Half of the commits, about, are as large. */
const PIPELINED_BYTES = 300;
/** So often, about, a partition looks until a sync has ended. */
const SYNC_LOOKS = 3;
/** After so many of its turns, about, the state of a partition is looked at. */
const INVARIANTS_ONE_IN = 8;

/** A partition's actor, its disk, and the clients' ends of its rings. */
export class SimulatedPartition {
  readonly index: number;
  readonly storage: FaultyStorage;
  /** Undefined while it is down. */
  actor: Partition | undefined;
  state: QueueState | undefined;
  /** By router. */
  rings: DuplexMemory[] = [];
  ends: DuplexClientEnd[] = [];
  /** What recovery found, when it was remarkable. */
  remark: string | undefined;
  readonly #world: World;

  constructor(index: number, world: World) {
    this.index = index;
    this.#world = world;
    this.storage = new FaultyStorage({ seed: world.random.word() });
  }

  /** Recovers from the disk, with rings that are empty. False: it died while it did. */
  start(): boolean {
    const { board, random, queues, clients } = this.#world;
    board.clearPartition(this.index);
    const store = new MessageStore(SEGMENT_BYTES, 0, TABLE_ROWS);
    for (const settings of queues.values()) store.define(settings);
    try {
      const { log, report } = openWal(
        {
          directory: `/partition-${this.index}`,
          segmentBytes: SEGMENT_BYTES,
          windowBytes: SEGMENT_BYTES,
          durability: { mode: 'fsync' },
          storage: this.storage,
          syncer: new HeldSyncer(() => !random.oneIn(SYNC_LOOKS)),
          clock: () => this.#world.now,
          randomWord: () => random.word(),
        },
        (buffer, view, offset, _length, position) =>
          replayRecord(store, buffer, view, offset, position),
      );
      const state = new QueueState(store, log);
      state.recovered(this.#world.now);
      store.beginLife(this.#world.now);
      const rings = Array.from({ length: clients }, (_, router) => emptyRings(this.index, router));
      const links = rings.map((memory, router) => {
        const ring = () => this.#world.onRing(router);
        return new RouterLink(router, new DuplexServerEnd(memory), { ring });
      });
      const { index } = this;
      const { placedOver: partitions } = this.#world;
      this.actor = new Partition({
        index,
        partitions,
        log,
        state,
        board,
        links,
        faults: false,
        pipelinedBytes: PIPELINED_BYTES,
      });
      this.state = state;
      this.rings = rings;
      this.ends = rings.map((memory) => new DuplexClientEnd(memory));
      this.remark = report.remark;
      return true;
    } catch (error) {
      if (!isDeath(error) && !isDiskError(error)) throw error;
      return false;
    }
  }

  /** Whether it says that its log is damaged, when it is started. Else it runs. */
  refusesToStart(): boolean {
    try {
      if (!this.start()) throw new Error('a disk without faults failed');
      return false;
    } catch (error) {
      if (isDamage(error)) return true;
      throw error;
    }
  }

  /** Runs `work` on the actor. False: it died of it, and is down. */
  act(work: (actor: Partition) => void): boolean {
    if (this.actor === undefined) return false;
    try {
      work(this.actor);
      return true;
    } catch (error) {
      if (!isDeath(error)) throw error;
      this.actor = undefined;
      return false;
    }
  }

  /** What its thread does next: a turn, or a start if it is down. */
  live(): void {
    if (this.actor === undefined) this.restart();
    else if (!this.act((actor) => actor.turn(this.#world.now))) this.crash();
    else if (this.#world.random.oneIn(INVARIANTS_ONE_IN)) checkInvariants(this.state!.store);
  }

  sweep(): void {
    if (this.actor === undefined) return;
    if (!this.act((actor) => actor.sweep(this.#world.now))) this.crash();
  }

  /** As its thread does: nobody hears that it runs before its counts are on the board. */
  restart(): void {
    this.storage.capacityBytes = Number.POSITIVE_INFINITY;
    const runs = this.start() && this.act((actor) => actor.turn(this.#world.now));
    if (!runs) {
      this.crash();
      return;
    }
    checkInvariants(this.state!.store);
    this.#world.onRunning(this);
  }

  /** Its process is killed, or loses its power. */
  crash(powerCut = this.#world.random.oneIn(2)): void {
    this.down();
    if (powerCut) this.storage.cutPower();
    else this.storage.kill();
    this.#world.onCrash(this, powerCut);
  }

  /** Something is to go wrong with one of the next calls of its disk.
   *  @param kind a whole number from 1 on */
  trouble(kind: number): void {
    const { storage } = this;
    if (kind === 1) storage.failNext({ call: 'sync', code: 'EIO' });
    else if (kind === 2) storage.failNext({ call: 'append', code: 'EIO' });
    else if (kind === 3) storage.capacityBytes = storage.usedBytes;
    else storage.dieAtChange = storage.changes + 1 + this.#world.random.below(12);
  }

  down(): void {
    this.actor = undefined;
    this.state = undefined;
    this.ends = [];
  }
}

/** What the disk does to a partition; anything else that one throws is a defect. */
function isDeath(error: unknown): boolean {
  if (error instanceof ProcessDied) return true;
  return error instanceof Error && 'code' in error && error.code === 'CAPSTAN_LOG_WRITE_FAILED';
}

function isDamage(error: unknown): boolean {
  const codes: unknown[] = ['CAPSTAN_LOG_CORRUPT', 'CAPSTAN_FORMAT_UNSUPPORTED'];
  return error instanceof Error && 'code' in error && codes.includes(error.code);
}

/** While it recovers, the disk's own errors come through. */
function isDiskError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EIO';
}

export class World {
  now = 1_700_000_000_000;
  readonly random: SeededRandom;
  readonly clients: number;
  readonly board = new Board(allocateBoard(4, BOARD_ROWS));
  readonly queues = new Map<number, QueueSettings>();
  /** The partitions that groups are placed over. 1: a client goes to any with any group. */
  placedOver = 1;
  /** A partition rings router `router`. */
  onRing: (router: number) => void = () => undefined;
  onRunning: (partition: SimulatedPartition) => void = () => undefined;
  onCrash: (partition: SimulatedPartition, powerCut: boolean) => void = () => undefined;
  readonly partitions: SimulatedPartition[];

  constructor(random: SeededRandom, partitions: number, clients: number) {
    this.random = random;
    this.clients = clients;
    this.partitions = Array.from({ length: partitions }, (_, i) => new SimulatedPartition(i, this));
  }
}
