/* A door's thread in a simulation: the real router, on a loop and a bell that the simulation
 * drives. It may die, and be started anew on the same rings. */

import { ReceiptCodec } from '../../src/broker/receipt-handle.ts';
import { Router } from '../../src/broker/router.ts';
import { type CatalogChange, Definitions } from '../../src/catalog/definitions.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import { allocateDoorbell } from '../../src/ring/doorbell.ts';
import { SimulatedBell, SimulatedLoop } from './event-loop.ts';
import type { World } from './world.ts';

const SECRET = new Uint8Array(32).fill(7);
const DOORBELL = allocateDoorbell();

/** No door of a simulation asks the catalog. */
const NO_CATALOG = {} as never;

export class SimulatedDoor {
  readonly index: number;
  router!: Router;
  /** How many of it there were before. */
  life = -1;
  #loop!: SimulatedLoop;
  #bell!: SimulatedBell;
  #definitions!: Definitions;
  readonly #world: World;

  constructor(index: number, world: World, definitions: Iterable<QueueDefinition>) {
    this.index = index;
    this.#world = world;
    this.start(definitions);
  }

  /** Ends the thread, if there is one, in the middle of whatever it does, and starts another. */
  start(definitions: Iterable<QueueDefinition>): void {
    this.life++;
    this.#loop = new SimulatedLoop(() => this.#world.now);
    this.#bell = new SimulatedBell();
    this.#definitions = new Definitions(definitions);
    const { random } = this.#world;
    this.router = new Router({
      router: this.index,
      life: this.life,
      board: this.#world.board,
      definitions: this.#definitions,
      receipts: new ReceiptCodec(SECRET),
      clock: () => this.#world.now,
      doorbell: this.#bell,
      catalog: NO_CATALOG,
      eventLoop: this.#loop,
      fillRandom: (bytes, from) => {
        for (let at = from; at < bytes.length; at++) bytes[at] = random.below(256);
      },
    });
    for (const { index, actor } of this.#world.partitions)
      if (actor !== undefined) this.attach(index);
  }

  attach(partition: number): void {
    this.router.attach(partition, {
      router: this.index,
      ...this.#world.partitions[partition]!.rings[this.index]!,
      routerDoorbell: DOORBELL,
      partitionDoorbell: DOORBELL,
    });
  }

  detach(partition: number): void {
    this.router.detach(partition, 'CAPSTAN_PARTITION_RESTARTING');
  }

  change(change: CatalogChange): void {
    this.#definitions.apply(change);
    this.router.definitionChanged(change);
  }

  find(name: string): QueueDefinition | undefined {
    return this.#definitions.find(name);
  }

  ring(): void {
    this.#bell.ring();
  }

  /** Resolves after `ms`, if it lives so long. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#loop.after(ms, resolve);
    });
  }

  /** A turn of its event loop. */
  turn(): void {
    this.#loop.turn();
  }

  hear(): void {
    this.#bell.deliver();
  }

  runTimers(): void {
    this.#loop.runTimers();
  }
}
