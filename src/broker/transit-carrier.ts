/* Carries messages that a move sent on their way from their partition to the one where their group
 * lives; see queue/transit.ts. Main thread only.
 *
 * Invariants: between two partitions one batch is under way at a time, in order, and it is deleted
 * where it comes from only after it is durable where it goes. What is on its way is read from the
 * partitions: this keeps nothing that a crash could take. */

import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Definitions } from '../catalog/definitions.ts';
import type { MoveStep, Sleep } from './move-task-run.ts';
import type { TransitCalls, TransitRun } from './transit-calls.ts';

/** After a failure that may pass: doubled each time, up to the maximum. */
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 5_000;

export interface TransitCarrierOptions {
  readonly partitions: number;
  readonly calls: Pick<TransitCalls, 'first' | 'takeOver' | 'arrived'>;
  readonly definitions: Pick<Definitions, 'byId'>;
  readonly sleep: Sleep;
  readonly logger: Logger;
}

export class TransitCarrier {
  readonly #options: TransitCarrierOptions;
  /** Partitions that may have something on its way. */
  readonly #unsettled = new Set<number>();
  /** By partition: the one carrying that is under way. */
  readonly #carrying = new Map<number, Promise<void>>();
  /** Partitions that are attended to until nothing of theirs is on its way. */
  readonly #attended = new Map<number, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: TransitCarrierOptions) {
    this.#options = options;
  }

  /** A step of a move out of `partition`, behind what earlier ones have sent on its way. */
  async step(partition: number, move: () => Promise<MoveStep>): Promise<MoveStep> {
    await this.carry(partition);
    const step = await move();
    if (step.inTransit > 0) this.attend(partition);
    return step;
  }

  /** Resolves when everything that was on its way from `partition` has arrived. Rejects when a
   *  partition that it takes does not answer, or has no space. */
  carry(partition: number): Promise<void> {
    let carrying = this.#carrying.get(partition);
    if (carrying === undefined) {
      if (!this.#unsettled.has(partition)) return Promise.resolve();
      carrying = this.#carry(partition).finally(() => this.#carrying.delete(partition));
      this.#carrying.set(partition, carrying);
    }
    return carrying;
  }

  /** Something may be on its way from `partition`: carries it, and goes on trying until it has
   *  arrived. */
  attend(partition: number): void {
    this.#unsettled.add(partition);
    if (this.#attended.has(partition) || this.#closing.signal.aborted) return;
    const attended = this.#attend(partition).finally(() => this.#attended.delete(partition));
    this.#attended.set(partition, attended);
  }

  /** Ends after the batches that are under way. What has not arrived goes on at the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#attended.values(), ...this.#carrying.values()]);
  }

  async #attend(partition: number): Promise<void> {
    const { logger, sleep } = this.#options;
    for (let failures = 0; !this.#closing.signal.aborted; failures++) {
      try {
        await this.carry(partition);
        return;
      } catch (error) {
        if (!(error instanceof BrokerError)) {
          logger.error({ partition, error }, 'carrying messages to other partitions broke off');
          return;
        }
        const { code } = error;
        if (failures === 0) logger.debug({ partition, code }, 'messages wait to be carried over');
        const delayMs = Math.min(RETRY_MS_MIN * 2 ** failures, RETRY_MS_MAX);
        await sleep(delayMs, this.#closing.signal);
      }
    }
  }

  async #carry(from: number): Promise<void> {
    try {
      // Deleted first: what is sent on its way meanwhile is noted again.
      while (this.#unsettled.delete(from)) {
        for (let to = 0; to < this.#options.partitions; to++) {
          if (to !== from) await this.#carryTo(from, to);
        }
      }
    } catch (error) {
      this.#unsettled.add(from);
      throw error;
    }
  }

  async #carryTo(from: number, to: number): Promise<void> {
    const { calls } = this.#options;
    for (;;) {
      if (this.#closing.signal.aborted) throw closed();
      const runs = await calls.first(from, to);
      if (runs.length === 0) return;
      for (const run of runs) {
        await this.#handOver(from, to, run);
        await calls.arrived(from, to, run.newestSequence);
      }
    }
  }

  /** A message whose queue was deleted went with it. */
  async #handOver(from: number, to: number, run: TransitRun): Promise<void> {
    const { calls, definitions } = this.#options;
    if (definitions.byId(run.queueId) === undefined) return;
    try {
      await calls.takeOver(from, to, run);
    } catch (error) {
      const gone = error instanceof BrokerError && error.code === 'CAPSTAN_QUEUE_DOES_NOT_EXIST';
      if (!gone || definitions.byId(run.queueId) !== undefined) throw error;
    }
  }
}

function closed(): BrokerError {
  return new BrokerError('CAPSTAN_CLOSED', 'The broker is closing.');
}
