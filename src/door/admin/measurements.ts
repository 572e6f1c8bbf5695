/* What the admin door shows, as its owner hands it in: plain numbers, gathered from all threads at
 * one time. Totals only grow, and begin anew when the server starts. */

import type { Door } from '../door-counters.ts';
import type { HealthReport, PartitionHealth } from './health.ts';

export interface PartitionMeasurements extends PartitionHealth {
  readonly sent: number;
  readonly received: number;
  readonly deleted: number;
  readonly messages: number;
  readonly commits: number;
  /** What the commits took together, write and sync. */
  readonly commitSeconds: number;
  readonly committedBytes: number;
  /** What the log holds on disk. */
  readonly logBytes: number;
  /** The disk has too little space for new messages. */
  readonly spaceLow: boolean;
  readonly regionsCleaned: number;
  readonly relocatedBytes: number;
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
  /** How late its event loop came, in the last 5 seconds that it has published. */
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
