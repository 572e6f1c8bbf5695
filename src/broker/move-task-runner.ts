/* Redrives of dead-letter queues: which may start, which run, and what the catalog records of them.
 * Main thread only. The moving itself is done by one `MoveTaskRun` per running task.
 *
 * Invariants: a source queue has at most one task that is not finished. A task that is not finished
 * in the catalog runs here, or will after the next start: its record is all that this takes. */

import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import { MOVE_RATE_MAX } from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { isUnfinished, type MoveTaskRecord } from '../catalog/move-task.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import { type Move, MoveTaskRun, type Sleep } from './move-task-run.ts';
import type { MoveTask } from './service.ts';

export interface MoveTaskRunnerOptions {
  readonly catalog: Pick<
    Catalog,
    'definitions' | 'putMoveTask' | 'findMoveTask' | 'moveTasks' | 'unfinishedMoveTasks'
  >;
  readonly partitions: number;
  readonly move: Move;
  /** Visible messages of a queue, as last published. */
  readonly approximateCount: (queueId: number) => number;
  readonly now: Clock;
  readonly logger: Logger;
  /** Resolves after `ms`, or at once when `signal` aborts. By default a timer of the machine. */
  readonly sleep?: Sleep;
}

/** Where a task would take messages from, and to. */
interface Route {
  readonly source: QueueDefinition;
  /** Undefined: each message's own source. */
  readonly destination: QueueDefinition | undefined;
}

export class MoveTaskRunner {
  readonly #options: MoveTaskRunnerOptions;
  /** By task id. */
  readonly #runs = new Map<string, MoveTaskRun>();
  #closed = false;

  constructor(options: MoveTaskRunnerOptions) {
    this.#options = options;
  }

  /** Resolves when the task is durable and under way.
   *  Rejects CAPSTAN_RESOURCE_NOT_FOUND for a queue that does not exist, and
   *  CAPSTAN_INVALID_ARGUMENT for a source that is no dead-letter queue or has a running task.
   *  Rule: SQS StartMessageMoveTask. */
  async start(
    source: string,
    destination: string | undefined,
    messagesPerSecondMax: number | undefined,
  ): Promise<MoveTask> {
    this.#requireOpen();
    requireRate(messagesPerSecondMax);
    const route = this.#route(source, destination);
    const { catalog, approximateCount, now } = this.#options;
    if (catalog.moveTasks(route.source.queueId).some(isUnfinished)) {
      throw new BrokerError(
        'CAPSTAN_INVALID_ARGUMENT',
        `There is already a task running for "${source}"; a queue has one at a time.`,
      );
    }
    const task: MoveTaskRecord = {
      taskId: randomUUID(),
      source,
      sourceQueueId: route.source.queueId,
      destination,
      destinationQueueId: route.destination?.queueId ?? 0,
      messagesPerSecondMax,
      status: 'RUNNING',
      moved: 0,
      toMove: approximateCount(route.source.queueId),
      startedAtMs: now(),
      failureReason: undefined,
    };
    await catalog.putMoveTask(task);
    this.#run(task);
    return viewOf(task);
  }

  /** The newest first. */
  async list(source: string, max: number): Promise<MoveTask[]> {
    const { queueId } = this.#requireQueue(source, 'source');
    const tasks = this.#options.catalog.moveTasks(queueId).slice(0, max);
    return tasks.map((task) => viewOf(this.#runs.get(task.taskId)?.task ?? task));
  }

  /** Resolves when it is durable that the task moves no more than it is moving now; what was moved
   *  stays moved. Rejects CAPSTAN_RESOURCE_NOT_FOUND for a task that does not run.
   *  Rule: SQS CancelMessageMoveTask. */
  async cancel(taskId: string): Promise<MoveTask> {
    this.#requireOpen();
    const run = this.#runs.get(taskId);
    if (run?.cancellable === true) {
      await run.cancel();
      return viewOf(run.task);
    }
    const task = this.#options.catalog.findMoveTask(taskId);
    const found = task === undefined ? 'does not exist' : `has ended (${task.status})`;
    throw new BrokerError('CAPSTAN_RESOURCE_NOT_FOUND', `The task ${found}.`);
  }

  /** Goes on with the tasks that were under way when the last process ended. */
  resume(): void {
    for (const task of this.#options.catalog.unfinishedMoveTasks()) {
      const { taskId, source, status, moved } = task;
      if (this.#runs.has(taskId)) continue;
      this.#options.logger.info({ taskId, source, status, moved }, 'a move task goes on');
      this.#run(task);
    }
  }

  /** Ends every run after the step it is at. The tasks go on after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#runs.values(), (run) => run.close()));
  }

  #run(task: MoveTaskRecord): void {
    // A start whose record became durable while this closed goes on after the next start.
    if (this.#closed) return;
    const run = new MoveTaskRun(task, this.#options);
    this.#runs.set(task.taskId, run);
    void run.ended.then(() => this.#runs.delete(task.taskId));
  }

  #route(source: string, destination: string | undefined): Route {
    const from = this.#requireQueue(source, 'source');
    if (this.#options.catalog.definitions.deadLetterSources(source).length === 0) {
      throw invalid('The source must be configured as the dead-letter queue of another queue.');
    }
    if (destination === undefined) return { source: from, destination: undefined };
    const to = this.#requireQueue(destination, 'destination');
    if (to.queueId === from.queueId) {
      throw invalid('The source and the destination cannot be the same queue.');
    }
    if (to.attributes.fifo !== from.attributes.fifo) {
      throw invalid('The source and the destination must both be FIFO queues, or neither.');
    }
    return { source: from, destination: to };
  }

  #requireQueue(name: string, role: 'source' | 'destination'): QueueDefinition {
    const definition = this.#options.catalog.definitions.find(name);
    if (definition !== undefined) return definition;
    throw new BrokerError('CAPSTAN_RESOURCE_NOT_FOUND', `The ${role} "${name}" does not exist.`);
  }

  #requireOpen(): void {
    if (this.#closed) throw new BrokerError('CAPSTAN_CLOSED', 'The broker is closing.');
  }
}

function requireRate(rate: number | undefined): void {
  if (rate === undefined) return;
  if (Number.isInteger(rate) && rate >= 1 && rate <= MOVE_RATE_MAX) return;
  throw invalid(`messagesPerSecondMax is a whole number from 1 to ${MOVE_RATE_MAX}, not ${rate}.`);
}

function invalid(detail: string): BrokerError {
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

/** What callers see of a task. The count at the start was approximate: more may have been moved. */
function viewOf(record: MoveTaskRecord): MoveTask {
  const { sourceQueueId, destinationQueueId, ...task } = record;
  return { ...task, toMove: Math.max(task.toMove, task.moved) };
}
