/* The catalog's calls on the thread that owns it: the clock is added, move tasks are started, and
 * what must be the same for all doors is decided. Main thread only. */

import type { Clock } from '../base/clock.ts';
import { BrokerError } from '../base/errors.ts';
import { PURGE_INTERVAL_MS } from '../base/limits.ts';
import type { PolicyEdit } from '../catalog/access-policy.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { mergeAttributes } from '../catalog/queue-checks.ts';
import { placementKeyOf } from '../command/placement.ts';
import type { QueueAttributes, QueueDefinition } from '../command/queue-definition.ts';
import type { CatalogCalls } from './catalog-calls.ts';
import type { MoveTaskRunner } from './move-task-runner.ts';
import type { MoveTask } from './service.ts';

export interface CatalogOwnerOptions {
  readonly catalog: Catalog;
  readonly moves: MoveTaskRunner;
  readonly clock: Clock;
  /** Messages that a queue holds, in whatever state. */
  readonly messagesIn: (queue: QueueDefinition) => number;
  /** Refuses a second purge within 60 seconds, as SQS does. */
  readonly strictWaits: boolean;
}

export class CatalogOwner implements CatalogCalls {
  readonly #catalog: Catalog;
  readonly #moves: MoveTaskRunner;
  readonly #clock: Clock;
  readonly #options: CatalogOwnerOptions;
  /** By queue id; only with strict waits. In the order in which they were purged. */
  readonly #purgedAtMs = new Map<number, number>();

  constructor(options: CatalogOwnerOptions) {
    this.#options = options;
    this.#catalog = options.catalog;
    this.#moves = options.moves;
    this.#clock = options.clock;
  }

  createQueue(
    name: string,
    attributes: Partial<QueueAttributes>,
    tags: Readonly<Record<string, string>> = {},
  ): Promise<QueueDefinition> {
    return this.#catalog.createQueue(name, attributes, tags, this.#clock());
  }

  async setAttributes(
    name: string,
    attributes: Partial<QueueAttributes>,
  ): Promise<QueueDefinition> {
    this.#checkPlacement(name, attributes);
    return this.#catalog.setAttributes(name, attributes, this.#clock());
  }

  setTags(
    name: string,
    add: Readonly<Record<string, string>>,
    remove: readonly string[],
  ): Promise<QueueDefinition> {
    return this.#catalog.setTags(name, add, remove, this.#clock());
  }

  /** A group whose messages were on one partition would go on on another one: nothing would keep
   *  their order. */
  #checkPlacement(name: string, changes: Partial<QueueAttributes>): void {
    const before = this.#catalog.definitions.find(name);
    if (before === undefined || !before.attributes.fifo) return;
    const after = { ...before, attributes: mergeAttributes(before.attributes, changes) };
    if (placementKeyOf(after) === placementKeyOf(before)) return;
    const count = this.#options.messagesIn(before);
    if (count === 0) return;
    throw new BrokerError(
      'CAPSTAN_INVALID_ARGUMENT',
      `"${name}" holds ${count} messages: high throughput, which DeduplicationScope and ` +
        'FifoThroughputLimit are for, is turned on and off only while a queue is empty.',
    );
  }

  editPolicy(name: string, edit: PolicyEdit): Promise<QueueDefinition> {
    return this.#catalog.editPolicy(name, edit, this.#clock());
  }

  async admitPurge(queueId: number): Promise<void> {
    if (!this.#options.strictWaits) return;
    const now = this.#clock();
    for (const [purged, atMs] of this.#purgedAtMs) {
      if (now - atMs < PURGE_INTERVAL_MS) break;
      this.#purgedAtMs.delete(purged);
    }
    if (this.#purgedAtMs.has(queueId)) {
      const name = this.#catalog.definitions.byId(queueId)?.name ?? '';
      throw new BrokerError(
        'CAPSTAN_PURGE_IN_PROGRESS',
        `Only one PurgeQueue operation on ${name} is allowed every ` +
          `${PURGE_INTERVAL_MS / 1000} seconds.`,
      );
    }
    this.#purgedAtMs.set(queueId, now);
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
