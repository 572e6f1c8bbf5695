/* Between the harness and a load process: what a load gets, and what it gives back. */

import type { HistogramSnapshot } from './histogram.ts';
import type { LedgerSnapshot } from './ledger.ts';

export interface LoadContext {
  /** Which load process of how many this is. */
  readonly index: number;
  readonly processes: number;
  /** Warmed up: resolves when all load processes are; then the clocks run. */
  begin(): Promise<void>;
  /** The measured time is over; what follows (draining, checking) costs the figures nothing. */
  end(): void;
}

/** A point of a curve over the run. */
export type Point = readonly [x: number, y: number];

export interface LoadOutcome {
  /** Messages that were dealt with within the measured time. */
  readonly messages: number;
  /** All messages of the run, warm-up included; undefined: nothing to balance. */
  readonly ledger?: LedgerSnapshot | undefined;
  readonly latencies?: Readonly<Record<string, HistogramSnapshot>> | undefined;
  readonly figures?: Readonly<Record<string, number>> | undefined;
  readonly curve?: readonly Point[] | undefined;
}

export type Load<P> = (parameters: P, context: LoadContext) => Promise<LoadOutcome>;

export interface Measured {
  readonly seconds: number;
  readonly cpuUs: number;
}

export type ToLoad =
  | {
      readonly type: 'start';
      readonly load: string;
      readonly parameters: unknown;
      readonly index: number;
      readonly processes: number;
    }
  | { readonly type: 'go' };

export type FromLoad =
  | { readonly type: 'warm' }
  | { readonly type: 'ended' }
  | { readonly type: 'done'; readonly outcome: LoadOutcome; readonly measured: Measured }
  | { readonly type: 'failed'; readonly message: string };
