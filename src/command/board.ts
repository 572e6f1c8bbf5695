/* The board: shared counters that partitions publish and routers read without asking. One
 * SharedArrayBuffer, in four parts, all little-endian host order:
 *
 *   per partition   32 x i32   heartbeat, state, restarts, then the gauges below
 *   per router      1 x i32    heartbeat
 *   per queue row   1 x i32    waiting mask: bit r is set while router r waits for a message
 *   per partition, per queue row   4 x i32   ready, visible, in flight, delayed
 *
 * A partition's part and its counts are stored by that partition's thread only, but for state and
 * restarts, which the supervisor stores. A router's heartbeat and its mask bits are stored by its
 * thread only. `ready` counts the messages that a receive would return now; `visible` also those
 * behind a locked group.
 *
 * No wake-up is lost: a router sets its bit, then looks at `ready` once more; a partition stores
 * `ready`, then looks at the mask. Both are sequentially consistent, so one sees the other. */

import { ROUTERS_MAX } from '../base/limits.ts';

export const PARTITION_STATES = [
  'starting',
  'recovering',
  'running',
  'restarting',
  'failed',
  'stopped',
] as const;
export type PartitionState = (typeof PARTITION_STATES)[number];

/** What a partition tells of itself; each stored by its thread, read by metrics. */
export const GAUGES = [
  'sent',
  'received',
  'deleted',
  'commits',
  'commitMicroseconds',
  'committedKib',
  'storedMib',
  'messages',
  'spaceLow',
  'regionsCleaned',
  'relocatedKib',
] as const;
export type Gauge = (typeof GAUGES)[number];

const PARTITION_WORDS = 32;
const HEARTBEAT = 0;
const STATE = 1;
const RESTARTS = 2;
const FIRST_GAUGE = 4;
const COUNT_WORDS = 4;
const READY = 0;
const VISIBLE = 1;
const IN_FLIGHT = 2;
const DELAYED = 3;

/** What is handed from thread to thread. */
export interface BoardDescriptor {
  readonly memory: SharedArrayBuffer;
  readonly partitions: number;
  readonly rows: number;
}

export function allocateBoard(partitions: number, rows: number): BoardDescriptor {
  const words = partitions * PARTITION_WORDS + ROUTERS_MAX + rows + partitions * rows * COUNT_WORDS;
  return { memory: new SharedArrayBuffer(words * 4), partitions, rows };
}

export class Board {
  readonly partitions: number;
  readonly rows: number;
  readonly #words: Int32Array;
  readonly #routers: number;
  readonly #masks: number;
  readonly #counts: number;

  constructor(descriptor: BoardDescriptor) {
    this.partitions = descriptor.partitions;
    this.rows = descriptor.rows;
    this.#words = new Int32Array(descriptor.memory);
    this.#routers = this.partitions * PARTITION_WORDS;
    this.#masks = this.#routers + ROUTERS_MAX;
    this.#counts = this.#masks + this.rows;
  }

  /** The partition's thread says that it is alive. */
  beat(partition: number): void {
    Atomics.add(this.#words, partition * PARTITION_WORDS + HEARTBEAT, 1);
  }

  heartbeat(partition: number): number {
    return Atomics.load(this.#words, partition * PARTITION_WORDS + HEARTBEAT);
  }

  /** The thread of router `router` says that it is alive. */
  beatRouter(router: number): void {
    Atomics.add(this.#words, this.#routers + router, 1);
  }

  routerHeartbeat(router: number): number {
    return Atomics.load(this.#words, this.#routers + router);
  }

  setState(partition: number, state: PartitionState): void {
    const index = PARTITION_STATES.indexOf(state);
    Atomics.store(this.#words, partition * PARTITION_WORDS + STATE, index);
  }

  state(partition: number): PartitionState {
    const index = Atomics.load(this.#words, partition * PARTITION_WORDS + STATE);
    return PARTITION_STATES[index] ?? 'failed';
  }

  countRestart(partition: number): void {
    Atomics.add(this.#words, partition * PARTITION_WORDS + RESTARTS, 1);
  }

  restarts(partition: number): number {
    return Atomics.load(this.#words, partition * PARTITION_WORDS + RESTARTS);
  }

  /** Gauges wrap at 2^32; readers take differences. */
  setGauge(partition: number, gauge: Gauge, value: number): void {
    this.#words[partition * PARTITION_WORDS + FIRST_GAUGE + GAUGES.indexOf(gauge)] = value | 0;
  }

  gauge(partition: number, gauge: Gauge): number {
    const index = partition * PARTITION_WORDS + FIRST_GAUGE + GAUGES.indexOf(gauge);
    return this.#words[index]! >>> 0;
  }

  /** Publishes a queue's counts in one partition, and returns the mask of routers that wait for
   *  that queue. */
  publish(
    partition: number,
    row: number,
    ready: number,
    visible: number,
    inFlight: number,
    delayed: number,
  ): number {
    const at = this.#countsAt(partition, row);
    this.#words[at + VISIBLE] = visible;
    this.#words[at + IN_FLIGHT] = inFlight;
    this.#words[at + DELAYED] = delayed;
    Atomics.store(this.#words, at + READY, ready);
    return ready > 0 ? Atomics.load(this.#words, this.#masks + row) : 0;
  }

  ready(partition: number, row: number): number {
    return Atomics.load(this.#words, this.#countsAt(partition, row) + READY);
  }

  visible(row: number): number {
    return this.#sum(row, VISIBLE);
  }

  inFlight(row: number): number {
    return this.#sum(row, IN_FLIGHT);
  }

  inFlightIn(partition: number, row: number): number {
    return this.#words[this.#countsAt(partition, row) + IN_FLIGHT]!;
  }

  delayed(row: number): number {
    return this.#sum(row, DELAYED);
  }

  /** Router `router` waits for messages of the queue; it must look at `ready` once more. */
  raiseFlag(router: number, row: number): void {
    Atomics.or(this.#words, this.#masks + row, 1 << router);
  }

  lowerFlag(router: number, row: number): void {
    Atomics.and(this.#words, this.#masks + row, ~(1 << router));
  }

  /** A router that starts anew waits for nothing. */
  lowerFlags(router: number): void {
    for (let row = 0; row < this.rows; row++) this.lowerFlag(router, row);
  }

  /** A partition that starts anew holds nothing until it says so. */
  clearPartition(partition: number): void {
    const from = this.#countsAt(partition, 0);
    this.#words.fill(0, from, from + this.rows * COUNT_WORDS);
  }

  #countsAt(partition: number, row: number): number {
    return this.#counts + (partition * this.rows + row) * COUNT_WORDS;
  }

  #sum(row: number, column: number): number {
    let sum = 0;
    for (let partition = 0; partition < this.partitions; partition++) {
      sum += this.#words[this.#countsAt(partition, row) + column]!;
    }
    return sum;
  }
}

/** The routers whose bits are set in `mask`, one call each. */
export function forEachRouter(mask: number, visit: (router: number) => void): void {
  for (let router = 0; router < ROUTERS_MAX && mask >>> router !== 0; router++) {
    if ((mask & (1 << router)) !== 0) visit(router);
  }
}
