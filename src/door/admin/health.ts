/* `/healthz`: whether the server serves, for load balancers and for people. Reads nothing but a
 * report that the server's owner gives; whether it answers must not hang on a partition. */

import type { PartitionState } from '../../command/board.ts';

export interface PartitionHealth {
  readonly partition: number;
  readonly state: PartitionState;
  readonly restarts: number;
}

/** A cold part of a log that was found damaged before anybody needed it. */
export interface DamageReport {
  readonly file: string;
  readonly offset: number;
  readonly what: string;
}

export interface HealthReport {
  readonly version: string;
  readonly uptimeMs: number;
  /** As given at the start: `fsync`, `interval:<ms>` or `none`. */
  readonly durability: string;
  readonly partitions: readonly PartitionHealth[];
  /** What the last round of scrubbing has found. */
  readonly damages: readonly DamageReport[];
}

/** In the order of how bad it is; the worst partition speaks for the server. */
const STATES_WORST_FIRST = [
  'failed',
  'stopped',
  'restarting',
  'recovering',
  'starting',
  'running',
] as const satisfies readonly PartitionState[];

/** The state of the server as a whole: that of its worst partition. */
export function serverState(report: HealthReport): PartitionState {
  const states = new Set(report.partitions.map(({ state }) => state));
  return STATES_WORST_FIRST.find((state) => states.has(state)) ?? 'starting';
}

export interface HealthAnswer {
  /** 200 once every partition runs; else 503. */
  readonly status: number;
  readonly body: HealthReport & { readonly state: PartitionState };
}

export function healthAnswer(report: HealthReport): HealthAnswer {
  const state = serverState(report);
  const { version, uptimeMs, durability, partitions, damages } = report;
  return {
    status: state === 'running' ? 200 : 503,
    body: { state, version, uptimeMs, durability, partitions, damages },
  };
}
