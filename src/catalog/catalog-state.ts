/* What the catalog's records add up to. It changes by `apply` only, over the log at the start and
 * over new records after that. Pure; cold. */

import { MOVE_TASKS_KEPT, QUEUE_NAME_REUSE_MS } from '../base/limits.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import { BoardRows } from './board-rows.ts';
import type { CatalogRecord, DeletedQueue } from './catalog-record.ts';
import { type CatalogChange, Definitions } from './definitions.ts';
import { isUnfinished, type MoveTaskRecord } from './move-task.ts';

export class CatalogState {
  readonly definitions = new Definitions();
  readonly rows: BoardRows;
  nextQueueId = 1;
  /** By task id. */
  readonly #moveTasks = new Map<string, MoveTaskRecord>();
  /** By name, in the order of their deletions. */
  readonly #deleted = new Map<string, DeletedQueue>();
  /** Length of the latest record of each queue and each task that is there. */
  readonly #recordBytes = new Map<number | string, number>();
  #liveBytes = 0;

  constructor(boardRows: number) {
    this.rows = new BoardRows(boardRows);
  }

  /** Bytes that the log would have if each live thing were in it once. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Applies a record that is `bytes` long in the log. Returns what it means to readers. */
  apply(record: CatalogRecord, bytes: number): CatalogChange | undefined {
    switch (record.kind) {
      case 'queue':
        return this.#define(record.body, bytes);
      case 'queue-deleted':
        return this.#delete(record.body);
      case 'move-task':
        this.#putTask(record.body, bytes);
        break;
      case 'counters':
        this.nextQueueId = Math.max(this.nextQueueId, record.body.nextQueueId);
        break;
    }
    return undefined;
  }

  #define(definition: QueueDefinition, bytes: number): CatalogChange {
    const { queueId } = definition;
    const created = this.definitions.byId(queueId) === undefined;
    if (created) this.rows.take(definition.boardRow);
    this.nextQueueId = Math.max(this.nextQueueId, queueId + 1);
    this.#deleted.delete(definition.name);
    this.#weigh(queueId, bytes);
    return this.#change({ kind: 'defined', definition, created });
  }

  #delete(deleted: DeletedQueue): CatalogChange | undefined {
    const { queueId, name } = deleted;
    this.nextQueueId = Math.max(this.nextQueueId, queueId + 1);
    this.#deleted.delete(name);
    this.#deleted.set(name, deleted);
    const definition = this.definitions.byId(queueId);
    // Its definition may have gone with a released part of the log.
    if (definition === undefined) return undefined;
    this.rows.release(definition.boardRow);
    this.#weigh(queueId, 0);
    for (const task of this.moveTasks(queueId)) this.#forgetTask(task.taskId);
    return this.#change({ kind: 'deleted', definition });
  }

  #change(change: CatalogChange): CatalogChange {
    this.definitions.apply(change);
    return change;
  }

  #weigh(key: number | string, bytes: number): void {
    this.#liveBytes += bytes - (this.#recordBytes.get(key) ?? 0);
    if (bytes === 0) this.#recordBytes.delete(key);
    else this.#recordBytes.set(key, bytes);
  }

  #putTask(task: MoveTaskRecord, bytes: number): void {
    // A task of a deleted queue is of no use to anyone.
    if (this.definitions.byId(task.sourceQueueId) === undefined) return;
    this.#moveTasks.set(task.taskId, task);
    this.#weigh(task.taskId, bytes);
    const finished = this.moveTasks(task.sourceQueueId).slice(MOVE_TASKS_KEPT);
    for (const old of finished) if (!isUnfinished(old)) this.#forgetTask(old.taskId);
  }

  #forgetTask(taskId: string): void {
    this.#moveTasks.delete(taskId);
    this.#weigh(taskId, 0);
  }

  findMoveTask(taskId: string): MoveTaskRecord | undefined {
    return this.#moveTasks.get(taskId);
  }

  /** Those of one source, the newest first. */
  moveTasks(sourceQueueId: number): MoveTaskRecord[] {
    const tasks = [...this.#moveTasks.values()].toReversed();
    return tasks
      .filter((task) => task.sourceQueueId === sourceQueueId)
      .toSorted((a, b) => b.startedAtMs - a.startedAtMs);
  }

  unfinishedMoveTasks(): MoveTaskRecord[] {
    return [...this.#moveTasks.values()].filter(isUnfinished);
  }

  /** When the queue of that name was deleted, if lately. */
  deletedAtMs(name: string): number | undefined {
    return this.#deleted.get(name)?.deletedAtMs;
  }

  /** Forgets deletions that no longer matter. */
  forgetDeletions(now: number): void {
    for (const [name, { deletedAtMs }] of this.#deleted) {
      if (now - deletedAtMs < QUEUE_NAME_REUSE_MS) return;
      this.#deleted.delete(name);
    }
  }

  /** Records that add up to this state. The state may change between two of them: what is changed
   *  meanwhile has a record of its own, later in the log. */
  *snapshot(): Generator<CatalogRecord> {
    yield { kind: 'counters', body: { nextQueueId: this.nextQueueId } };
    for (const body of this.#deleted.values()) yield { kind: 'queue-deleted', body };
    for (const body of this.definitions.all()) yield { kind: 'queue', body };
    for (const body of this.#moveTasks.values()) yield { kind: 'move-task', body };
  }
}
