/* What the admin door shows, as its owner hands it in: plain numbers, gathered from all threads at
 * one time. Totals only grow, and begin anew when the server starts. */

import type { Door } from '../door-counters.ts';
import type { HealthReport, PartitionHealth } from './health.ts';

/** How long commits took. */
export interface LatencyHistogram {
  /** Upper bounds of the buckets, rising, in seconds. */
  readonly boundsSeconds: readonly number[];
  /** How many fell into each bucket, and at the end those above the last bound. */
  readonly counts: readonly number[];
}

export interface PartitionMeasurements extends PartitionHealth {
  readonly sent: number;
  readonly received: number;
  readonly deleted: number;
  readonly messages: number;
  readonly commits: number;
  readonly commitSeconds: number;
  /** Undefined: only the sum above is known. */
  readonly commitLatency?: LatencyHistogram | undefined;
  readonly committedBytes: number;
  /** What the log holds on disk. */
  readonly logBytes: number;
  /** The disk has too little space for new messages. */
  readonly spaceLow: boolean;
  readonly regionsCleaned: number;
  readonly relocatedBytes: number;
  /** The fullest of the partition's rings, by direction, 0 .. 1. */
  readonly requestRingFullness?: number | undefined;
  readonly replyRingFullness?: number | undefined;
}

export interface DoorMeasurements {
  readonly door: Door;
  readonly requests: number;
  readonly errors: number;
  readonly sent: number;
  readonly received: number;
  readonly deleted: number;
}

export interface ThreadMeasurements {
  /** `main`, `door-0`. */
  readonly thread: string;
  /** How late its event loop came, in the time since the last look. */
  readonly loopLagSeconds: { readonly p50: number; readonly p99: number; readonly max: number };
}

export interface Measurements {
  readonly health: HealthReport;
  readonly partitions: readonly PartitionMeasurements[];
  readonly doors: readonly DoorMeasurements[];
  readonly threads: readonly ThreadMeasurements[];
}

/** Where the admin door gets its numbers from. */
export interface MeasurementSource {
  /** Answers at once: from what is known on the thread that is asked. */
  health(): HealthReport;
  measure(): Promise<Measurements>;
}
