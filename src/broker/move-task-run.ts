/* One move task under way: which partition moves how many messages next, and when. Main thread.
 *
 * Each step is one partition's, and is durable there. Messages that belong to another partition
 * are on their way after it, and the task is not complete before they have arrived. The task's own
 * count is recorded now and then, and at the end: after a crash it may lag behind what was moved,
 * but what is left to move is always read from the partitions: nothing is moved twice or forgotten.
 *
 * Invariants: one step at a time, and one write to the catalog at a time but for a cancellation. A
 * partition moves at most what it held when this run first asked it, so a message that comes back
 * to the dead-letter queue does not keep the task alive. Timers exist only while the task waits. */

import type { Clock } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { MoveTaskRecord } from '../catalog/move-task.ts';

/** What one partition did of a move. */
export interface MoveStep {
  readonly moved: number;
  /** Visible messages that are still there. */
  readonly left: number;
  /** Messages looked at whose own source is unknown: they stay, behind the others. */
  readonly stranded: number;
  /** Messages that are on their way from it to other partitions. */
  readonly inTransit: number;
}

/** Moves up to `max` visible messages of one partition, once what it sent on its way before has
 *  arrived; destination 0: each one's own source. Durable when it resolves. */
export type Move = (
  source: number,
  destination: number,
  partition: number,
  max: number,
) => Promise<MoveStep>;

/** Resolves after `ms`, or as soon as `signal` aborts. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** Why a task failed; the names that SQS gives in FailureReason. */
export const SOURCE_UNKNOWN = 'CouldNotDetermineMessageSource';
export const DESTINATION_GONE = 'AWS.SimpleQueueService.NonExistentQueue';

/** The count is recorded this often: what a crash takes from it is at most the moves of so long. */
const PROGRESS_INTERVAL_MS = 1_000;
/** A limited task takes at most so many steps a second: fewer commits, no bursts that matter. */
const STEPS_PER_SECOND_MAX = 10;
/** A partition whose messages were all looked at so often since the last one that could be moved
 *  has none of those left. Once would do but for groups, which take turns whatever their length. */
const LOOKS_PER_MESSAGE_MAX = 8;
/** After a failure that may pass: doubled each time, up to the maximum. */
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5_000;

export interface MoveTaskRunOptions {
  readonly catalog: Pick<Catalog, 'definitions' | 'putMoveTask'>;
  readonly partitions: number;
  readonly move: Move;
  readonly now: Clock;
  readonly logger: Logger;
  readonly sleep?: Sleep;
}

/** How far one partition is. */
interface Share {
  readonly partition: number;
  /** What it may still move; undefined until its first answer tells what it held. */
  budget: number | undefined;
  /** Messages that stayed, looked at since the last that was moved. */
  fruitless: number;
  /** Failures in a row, and when to ask again. */
  failures: number;
  retryAtMs: number;
}

interface Ending {
  readonly status: 'COMPLETED' | 'CANCELLED' | 'FAILED';
  readonly failureReason?: string;
}

export class MoveTaskRun {
  /** Resolves when nothing of this run is under way any longer. Never rejects. */
  readonly ended: Promise<void>;
  readonly #options: MoveTaskRunOptions;
  readonly #sleep: Sleep;
  #task: MoveTaskRecord;
  /** Those that may have more to move, the next one to ask first. */
  #shares: Share[];
  /** There are messages that have to stay. */
  #stranded = false;
  /** A limited task moves nothing before this time. */
  #nextStepAtMs = 0;
  #recordedMoved: number;
  #recordedAtMs: number;
  #cancelled: boolean;
  #cancellation: Promise<void> | undefined;
  /** Of the wait at hand, or of the last one. */
  #wait = new AbortController();
  #closing = false;
  /** How it ends is settled. */
  #ending = false;

  constructor(task: MoveTaskRecord, options: MoveTaskRunOptions) {
    this.#options = options;
    this.#sleep = options.sleep ?? sleep;
    this.#task = task;
    this.#recordedMoved = task.moved;
    this.#recordedAtMs = options.now();
    this.#cancelled = task.status === 'CANCELLING';
    this.#shares = Array.from({ length: options.partitions }, (_, partition) => ({
      partition,
      budget: undefined,
      fruitless: 0,
      failures: 0,
      retryAtMs: 0,
    }));
    this.ended = this.#run();
  }

  /** The task as it stands, ahead of its record. */
  get task(): MoveTaskRecord {
    return this.#task;
  }

  get cancellable(): boolean {
    return !this.#ending && !this.#closing;
  }

  /** Resolves when it is durable that the task is to end. Idempotent. */
  cancel(): Promise<void> {
    this.#cancellation ??= this.#cancel();
    return this.#cancellation;
  }

  async #cancel(): Promise<void> {
    if (this.#cancelled) return;
    this.#task = { ...this.#task, status: 'CANCELLING' };
    try {
      await this.#options.catalog.putMoveTask(this.#task);
    } catch (error) {
      this.#cancellation = undefined;
      this.#task = { ...this.#task, status: 'RUNNING' };
      throw error;
    }
    this.#cancelled = true;
    this.#wait.abort();
  }

  /** Ends the run, not the task. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wait.abort();
    await this.ended;
  }

  async #run(): Promise<void> {
    let ending: Ending | undefined;
    try {
      ending = await this.#moveAll();
    } catch (error) {
      const { taskId, source } = this.#task;
      this.#options.logger.error({ taskId, source, error }, 'a move task broke off');
      const failureReason = error instanceof BrokerError ? error.code : 'CAPSTAN_INTERNAL';
      ending = { status: 'FAILED', failureReason };
    }
    if (ending === undefined) await this.#recordProgress();
    else await this.#recordEnding(ending);
  }

  /** Undefined: it ends unfinished, because this closes or because the source is gone. */
  async #moveAll(): Promise<Ending | undefined> {
    for (;;) {
      if (this.#closing) return undefined;
      if (this.#cancelled) return { status: 'CANCELLED' };
      const { sourceQueueId, destinationQueueId } = this.#task;
      const { definitions } = this.#options.catalog;
      // With its source the catalog has forgotten the task.
      if (definitions.byId(sourceQueueId) === undefined) return undefined;
      if (destinationQueueId !== 0 && definitions.byId(destinationQueueId) === undefined) {
        return { status: 'FAILED', failureReason: DESTINATION_GONE };
      }
      if (this.#shares.length === 0) {
        if (!this.#stranded) return { status: 'COMPLETED' };
        return { status: 'FAILED', failureReason: SOURCE_UNKNOWN };
      }
      await this.#stepOrWait();
    }
  }

  async #stepOrWait(): Promise<void> {
    const now = this.#options.now();
    const index = this.#shares.findIndex((share) => share.retryAtMs <= now);
    const retryAtMs = Math.min(...this.#shares.map((share) => share.retryAtMs));
    const waitMs = Math.max(this.#nextStepAtMs, retryAtMs) - now;
    if (waitMs > 0 || index < 0) {
      await this.#doze(Math.max(1, Math.ceil(waitMs)));
      return;
    }
    const [share] = this.#shares.splice(index, 1);
    // To the end of the row: the partitions take turns.
    if (!(await this.#step(share!))) this.#shares.push(share!);
    if (now - this.#recordedAtMs >= PROGRESS_INTERVAL_MS) await this.#recordProgress();
  }

  /** Lets one partition move some. True when it has no more to move. */
  async #step(share: Share): Promise<boolean> {
    const { sourceQueueId, destinationQueueId } = this.#task;
    const max = Math.min(this.#stepMax(), share.budget ?? Infinity);
    let step: MoveStep;
    try {
      const { move } = this.#options;
      step = await move(sourceQueueId, destinationQueueId, share.partition, max);
    } catch (error) {
      this.#postpone(share, error);
      return false;
    }
    const { moved, left, stranded, inTransit } = step;
    share.failures = 0;
    share.budget = (share.budget ?? moved + left) - moved;
    this.#task = { ...this.#task, moved: this.#task.moved + moved };
    this.#pace(moved);
    if (stranded > 0) this.#stranded = true;
    share.fruitless = moved > 0 ? 0 : share.fruitless + stranded;
    // The next step comes after their arrival.
    if (inTransit > 0) return false;
    return (
      left === 0 ||
      share.budget <= 0 ||
      moved + stranded === 0 ||
      share.fruitless >= left * LOOKS_PER_MESSAGE_MAX
    );
  }

  #stepMax(): number {
    const rate = this.#task.messagesPerSecondMax;
    if (rate === undefined) return BATCH_ENTRIES_MAX;
    return Math.max(1, Math.floor(rate / STEPS_PER_SECOND_MAX));
  }

  /** The time that `moved` messages take at the task's rate passes before the next step. */
  #pace(moved: number): void {
    const rate = this.#task.messagesPerSecondMax;
    if (rate === undefined) return;
    this.#nextStepAtMs = Math.max(this.#nextStepAtMs, this.#options.now()) + (moved * 1000) / rate;
  }

  /** A partition that restarts, or has no room, is asked again later; the others go on. */
  #postpone(share: Share, error: unknown): void {
    if (!(error instanceof BrokerError)) throw error;
    const { code } = error;
    // Where a queue went away, the loop will see which.
    if (!error.retryable && code !== 'CAPSTAN_QUEUE_DOES_NOT_EXIST') throw error;
    share.retryAtMs = this.#options.now() + retryDelayMs(share.failures);
    if (share.failures++ > 0) return;
    const { taskId } = this.#task;
    const { partition } = share;
    this.#options.logger.warn({ taskId, partition, code }, 'a step of a move task is put off');
  }

  async #recordProgress(): Promise<void> {
    this.#recordedAtMs = this.#options.now();
    if (this.#task.moved === this.#recordedMoved) return;
    const { moved, taskId } = this.#task;
    try {
      await this.#options.catalog.putMoveTask(this.#task);
      this.#recordedMoved = moved;
    } catch (error) {
      // The next record holds this one's count too.
      this.#options.logger.warn({ taskId, error }, "a move task's count was not recorded");
    }
  }

  /** Tried until it is durable, or until this closes: then the next start finds the same end. */
  async #recordEnding({ status, failureReason }: Ending): Promise<void> {
    this.#ending = true;
    const ended: MoveTaskRecord = { ...this.#task, status, failureReason };
    const { taskId, source, moved } = ended;
    for (let failures = 0; ; failures++) {
      try {
        await this.#options.catalog.putMoveTask(ended);
        break;
      } catch (error) {
        if (this.#closing) return;
        const fields = { taskId, source, error };
        this.#options.logger.warn(fields, 'the end of a move task was not recorded');
        await this.#doze(retryDelayMs(failures));
      }
    }
    this.#task = ended;
    this.#options.logger.info(
      { taskId, source, status, moved, failureReason },
      'a move task ended',
    );
  }

  /** Waits, unless and until this closes or the task is cancelled. */
  async #doze(ms: number): Promise<void> {
    if (this.#closing) return;
    this.#wait = new AbortController();
    await this.#sleep(ms, this.#wait.signal);
  }
}

function retryDelayMs(failures: number): number {
  return Math.min(RETRY_MS_MIN * 2 ** failures, RETRY_MS_MAX);
}

export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
