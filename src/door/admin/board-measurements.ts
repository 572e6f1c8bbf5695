/* The numbers of the admin door, read from what threads publish on shared memory: the board, the
 * doors' counters, the loops' lags. Any thread can be asked, and no partition is. */

import type { Clock } from '../../base/clock.ts';
import type { Board } from '../../command/board.ts';
import { doorTotals } from '../door-counters.ts';
import type { DamageReport, HealthReport, PartitionHealth } from './health.ts';
import { readLoopLag } from './loop-lag.ts';
import type {
  MeasurementSource,
  Measurements,
  PartitionMeasurements,
  ThreadMeasurements,
} from './measurements.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

export interface BoardMeasurementsOptions {
  readonly board: Board;
  readonly clock: Clock;
  readonly startedAtMs: number;
  readonly version: string;
  readonly durability: string;
  readonly doorCounters: SharedArrayBuffer;
  readonly loopLags: SharedArrayBuffer;
  /** By their places in `loopLags`. */
  readonly threadNames: readonly string[];
  readonly damages: () => readonly DamageReport[];
}

export class BoardMeasurements implements MeasurementSource {
  readonly #options: BoardMeasurementsOptions;

  constructor(options: BoardMeasurementsOptions) {
    this.#options = options;
  }

  health(): HealthReport {
    const { board, clock, startedAtMs, version, durability, damages } = this.#options;
    return {
      version,
      uptimeMs: Math.max(0, clock() - startedAtMs),
      durability,
      partitions: Array.from({ length: board.partitions }, (_, index) => this.#healthOf(index)),
      damages: damages(),
    };
  }

  #healthOf(partition: number): PartitionHealth {
    const { board } = this.#options;
    return { partition, state: board.state(partition), restarts: board.restarts(partition) };
  }

  async measure(): Promise<Measurements> {
    const { board, doorCounters } = this.#options;
    return {
      health: this.health(),
      partitions: Array.from({ length: board.partitions }, (_, index) => this.#partition(index)),
      doors: doorTotals(doorCounters),
      threads: this.#threads(),
    };
  }

  #partition(partition: number): PartitionMeasurements {
    const { board } = this.#options;
    return {
      ...this.#healthOf(partition),
      sent: board.gauge(partition, 'sent'),
      received: board.gauge(partition, 'received'),
      deleted: board.gauge(partition, 'deleted'),
      messages: board.gauge(partition, 'messages'),
      commits: board.gauge(partition, 'commits'),
      commitSeconds: board.gauge(partition, 'commitMicroseconds') / 1e6,
      committedBytes: board.gauge(partition, 'committedKib') * KIB,
      logBytes: board.gauge(partition, 'storedMib') * MIB,
      spaceLow: board.gauge(partition, 'spaceLow') !== 0,
      regionsCleaned: board.gauge(partition, 'regionsCleaned'),
      relocatedBytes: board.gauge(partition, 'relocatedKib') * KIB,
    };
  }

  #threads(): ThreadMeasurements[] {
    const { threadNames, loopLags } = this.#options;
    return threadNames.map((thread, index) => ({
      thread,
      loopLagSeconds: readLoopLag(loopLags, index),
    }));
  }
}
