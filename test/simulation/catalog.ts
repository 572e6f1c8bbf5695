/* The catalog of a simulation: its queues, which it redefines, deletes and makes anew while they
 * are used, telling partitions and doors in the order in which the broker does. */

import { BrokerError } from '../../src/base/errors.ts';
import { type CatalogChange, Definitions } from '../../src/catalog/definitions.ts';
import { affectedBy, settingsOf } from '../../src/catalog/queue-settings.ts';
import type { QueueAttributes, QueueDefinition } from '../../src/command/queue-definition.ts';
import { queueDefinition } from '../support/queue-definitions.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import type { SimulatedDoor } from './door.ts';
import type { Rules } from './promises.ts';
import type { World } from './world.ts';

const FOR_EVER_MS = 1e12;
const BRIEF_MS = 60_000;
const TEMPORARY = 'temporary';
const SENDABLE = ['work', 'fifo', 'spread', 'plain', 'brief', 'letters', 'arrivals', TEMPORARY];
/** Moves take messages out of these, or into them. */
const MOVED = new Set(['dead', 'dead-fifo', 'work', 'letters', 'arrivals']);
const SPREAD = {
  deduplicationScope: 'messageGroup',
  throughputLimit: 'perMessageGroupId',
} as const;

export class SimulatedCatalog {
  readonly definitions = new Definitions();
  /** Names that clients send to, and receive from. */
  readonly sendable: readonly string[] = SENDABLE;
  readonly receivable: readonly string[] = [...SENDABLE, 'dead', 'dead-fifo'];
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #rules = new Map<number, Rules>();
  /** Of seeds that redefine it, a queue may have had any limit. */
  readonly #redefines: boolean;
  #lastId = 0;

  constructor(world: World, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.#redefines = random.oneIn(3);
    const maxReceiveCount = 1 + random.below(3);
    const policy = (deadLetterQueue: string) => ({
      redrivePolicy: { deadLetterQueue, maxReceiveCount },
    });
    this.#create('dead', {});
    this.#create('dead-fifo', { fifo: true });
    this.#create('work', policy('dead'));
    this.#create('fifo', { fifo: true, ...policy('dead-fifo') });
    this.#create('spread', { fifo: true, ...SPREAD });
    const retryBackoff = { baseMs: 1000, factor: 2, maxMs: 10_000 };
    this.#create('plain', { delayMs: 2000, ...(random.oneIn(2) ? { retryBackoff } : {}) });
    this.#create('brief', { retentionMs: BRIEF_MS });
    // Moves go from one partition to many, or from many to one.
    const [letters, arrivals] = random.oneIn(2) ? [SPREAD, {}] : [{}, SPREAD];
    this.#create('arrivals', { fifo: true, ...arrivals });
    this.#create('letters', { fifo: true, ...letters });
    this.#create(TEMPORARY, {});
  }

  /** What messages are moved out of, and where to; 0: each to the queue that it came from. */
  get moves(): readonly { readonly source: QueueDefinition; readonly destinationId: number }[] {
    const { queueId } = this.definitions.find('arrivals')!;
    return [
      { source: this.definitions.find('dead')!, destinationId: 0 },
      { source: this.definitions.find('letters')!, destinationId: queueId },
    ];
  }

  rules(queueId: number): Rules {
    return this.#rules.get(queueId)!;
  }

  retentionOf(queueId: number): number {
    // The messages of a queue that is gone may be gone at any time.
    return this.definitions.byId(queueId)?.attributes.retentionMs ?? 0;
  }

  /** Commits a definition, and returns the change to be told. */
  #create(name: string, attributes: Partial<QueueAttributes>): CatalogChange {
    const row = this.definitions.find(name)?.boardRow ?? SENDABLE.length + 2;
    const id = ++this.#lastId;
    const definition = {
      ...queueDefinition(id, name, { retentionMs: FOR_EVER_MS, ...attributes }),
      boardRow: id <= SENDABLE.length + 2 ? id : row,
    };
    return this.#commit({ kind: 'defined', definition, created: true });
  }

  #commit(change: CatalogChange): CatalogChange {
    this.definitions.apply(change);
    if (change.kind === 'deleted') this.#world.queues.delete(change.definition.queueId);
    for (const each of affectedBy(change, this.definitions)) {
      this.#world.queues.set(each.queueId, settingsOf(each, this.definitions));
      this.#rules.set(each.queueId, this.#rulesOf(each));
    }
    return change;
  }

  #rulesOf(definition: QueueDefinition): Rules {
    const { name, attributes } = definition;
    const { deadLetterQueueId, maxReceiveCount: own } = settingsOf(definition, this.definitions);
    const redefined = this.#redefines && name === 'work';
    return {
      deadLetterQueueId,
      receiveCountMax: redefined ? 3 : own,
      receiveCountMin: redefined ? 1 : own,
      visibilityTimeoutMsMin: redefined ? 1000 : attributes.visibilityTimeoutMs,
      sendsOnly: !MOVED.has(name),
      ordered: attributes.fifo && !name.startsWith('dead'),
      destinationQueueId: name === 'letters' ? this.definitions.find('arrivals')!.queueId : 0,
      returns: name === 'dead' || name === 'work',
    };
  }

  /** Redefines a queue, or deletes one and makes it anew; resolves when everybody knows. */
  async changeSomething(doors: readonly SimulatedDoor[]): Promise<void> {
    const definition = this.definitions.find('work')!;
    if (this.#redefines && this.#random.oneIn(2)) {
      const maxReceiveCount = 1 + this.#random.below(3);
      const attributes = {
        ...definition.attributes,
        visibilityTimeoutMs: 1000 * (1 + this.#random.below(30)),
        redrivePolicy: { deadLetterQueue: 'dead', maxReceiveCount },
      };
      const changed = { ...definition, attributes };
      await this.#tell(
        doors,
        this.#commit({ kind: 'defined', definition: changed, created: false }),
      );
      return;
    }
    const temporary = this.definitions.find(TEMPORARY);
    // Somebody is deleting it already.
    if (temporary === undefined) return;
    await this.#tell(doors, this.#commit({ kind: 'deleted', definition: temporary }));
    await this.#tell(doors, this.#create(TEMPORARY, {}));
  }

  async #tell(doors: readonly SimulatedDoor[], change: CatalogChange): Promise<void> {
    if (change.kind === 'deleted') for (const door of doors) door.change(change);
    await Promise.all(
      this.#world.partitions.map(({ index }) => this.#tellPartition(doors[0]!, index, change)),
    );
    if (change.kind === 'defined') for (const door of doors) door.change(change);
  }

  async #tellPartition(door: SimulatedDoor, index: number, change: CatalogChange): Promise<void> {
    try {
      for (const each of affectedBy(change, this.definitions)) {
        const settings = Buffer.from(JSON.stringify(settingsOf(each, this.definitions)));
        await door.router.define(index, settings);
      }
      if (change.kind === 'deleted') await door.router.drop(index, change.definition.queueId);
    } catch (error) {
      // A partition that is not running takes the change from its next start.
      if (!(error instanceof BrokerError)) throw error;
    }
  }
}
