/* The catalog's calls on the thread that owns it: the clock is added, and move tasks are
 * started. */

import type { Clock } from '../base/clock.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { QueueAttributes, QueueDefinition } from '../command/queue-definition.ts';
import type { CatalogCalls } from './catalog-calls.ts';
import type { MoveTaskRunner } from './move-task-runner.ts';
import type { MoveTask } from './service.ts';

export class CatalogOwner implements CatalogCalls {
  readonly #catalog: Catalog;
  readonly #moves: MoveTaskRunner;
  readonly #clock: Clock;

  constructor(catalog: Catalog, moves: MoveTaskRunner, clock: Clock) {
    this.#catalog = catalog;
    this.#moves = moves;
    this.#clock = clock;
  }

  createQueue(
    name: string,
    attributes: Partial<QueueAttributes>,
    tags: Readonly<Record<string, string>> = {},
  ): Promise<QueueDefinition> {
    return this.#catalog.createQueue(name, attributes, tags, this.#clock());
  }

  setAttributes(name: string, attributes: Partial<QueueAttributes>): Promise<QueueDefinition> {
    return this.#catalog.setAttributes(name, attributes, this.#clock());
  }

  setTags(
    name: string,
    add: Readonly<Record<string, string>>,
    remove: readonly string[],
  ): Promise<QueueDefinition> {
    return this.#catalog.setTags(name, add, remove, this.#clock());
  }

  async deleteQueue(name: string): Promise<void> {
    await this.#catalog.deleteQueue(name, this.#clock());
  }

  startMoveTask(
    source: string,
    destination: string | undefined,
    messagesPerSecondMax: number | undefined,
  ): Promise<MoveTask> {
    return this.#moves.start(source, destination, messagesPerSecondMax);
  }

  listMoveTasks(source: string, max: number): Promise<MoveTask[]> {
    return this.#moves.list(source, max);
  }

  cancelMoveTask(taskId: string): Promise<MoveTask> {
    return this.#moves.cancel(taskId);
  }
}
