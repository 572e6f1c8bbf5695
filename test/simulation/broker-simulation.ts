/* One simulation of whole doors: from a seed, clients call the real routers of some doors, over
 * real partitions on faulty disks. Queues are redefined, purged and deleted meanwhile; partitions
 * and doors die, bits flip. Then everything heals, every call must end, the queues are drained,
 * and nothing may be missing. */

import { SILENT_LOGGER } from '../../src/base/logger.ts';
import type { Router } from '../../src/broker/router.ts';
import type { DeliveredMessage, SendOutcome } from '../../src/broker/service.ts';
import { TransitCarrier } from '../../src/broker/transit-carrier.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { sendEncoded } from '../support/send-encoded.ts';
import { checkInvariants } from '../support/state-invariants.ts';
import { SimulatedCatalog } from './catalog.ts';
import { SimulatedDoor } from './door.ts';
import { type Call, Promises, type ReceiveCall, type SeenDelivery } from './promises.ts';
import { Violation } from './violation.ts';
import { type SimulatedPartition, World } from './world.ts';

const STEPS = 400;
const SETTLE_ROUNDS_MAX = 400;
const DRAIN_ROUNDS_MAX = 60;
const FOREVER_MS = 40_000_000;
const WAITS_MS = [0, 0, 50, 3000] as const;
/** Longer than any chain of promises between a reply and its caller. */
const MICROTASKS = 12;

/** What was refused for certain: nothing of it was stored. */
const REFUSED = new Set(['CAPSTAN_QUEUE_DOES_NOT_EXIST', 'CAPSTAN_DISK_FULL']);
const UNKNOWN = new Set([
  'CAPSTAN_PARTITION_RESTARTING',
  'CAPSTAN_THROTTLED',
  'CAPSTAN_OVER_LIMIT',
]);

interface Held extends SeenDelivery {
  readonly queue: QueueDefinition;
  readonly message: DeliveredMessage;
}

/** A call whose end has not been seen. */
interface Pending {
  readonly door: SimulatedDoor;
  readonly life: number;
  readonly receive?: ReceiveCall;
  readonly cancel?: AbortController;
}

export class BrokerSimulation {
  readonly #random: SeededRandom;
  readonly #world: World;
  readonly #catalog: SimulatedCatalog;
  readonly #promises: Promises;
  readonly #doors: SimulatedDoor[];
  /** Of the first door, which does what the main thread's router does. */
  #carrier: TransitCarrier;
  readonly #harmOneIn: number;
  readonly #pending = new Set<Pending>();
  #held: Held[] = [];
  #step = 0;
  #nextId = 1;
  #failure: unknown;
  /** A flipped bit was taken for a torn write, and reported: what it took may be missing. */
  #reported = false;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#random = random;
    this.#harmOneIn = [0, 30, 12, 6][random.below(4)]!;
    const partitions = 1 + random.below(3);
    const doors = 1 + random.below(3);
    this.#world = new World(random, partitions, doors);
    this.#world.placedOver = partitions;
    this.#catalog = new SimulatedCatalog(this.#world, random);
    this.#promises = new Promises((queueId) => this.#catalog.rules(queueId));
    for (const partition of this.#world.partitions) partition.start();
    const all = () => this.#catalog.definitions.all();
    this.#doors = Array.from({ length: doors }, (_, d) => new SimulatedDoor(d, this.#world, all()));
    this.#carrier = this.#startCarrier();
    this.#world.onRing = (router) => this.#doors[router]?.ring();
    this.#world.onRunning = (partition) => this.#onRunning(partition);
    this.#world.onCrash = (partition, powerCut) => this.#onCrash(partition, powerCut);
  }

  /** Rejects with what it finds wrong. */
  async run(): Promise<void> {
    for (this.#step = 1; this.#step <= STEPS && !this.#reported; this.#step++) {
      this.#act();
      await this.#microtasks();
    }
    if (this.#reported) return;
    await this.#heal();
    await this.#drain();
  }

  async #microtasks(): Promise<void> {
    for (let i = 0; i < MICROTASKS; i++) await Promise.resolve();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #act(): void {
    const roll = this.#random.below(100);
    if (roll < 28) this.#call(this.#pick(this.#doors));
    else if (roll < 55) this.#pick(this.#world.partitions).live();
    else if (roll < 80) this.#runDoor(this.#pick(this.#doors));
    else if (roll < 92) this.#pass(this.#random.oneIn(6) ? 31_000 : this.#random.below(1500));
    else if (roll < 94) this.#cancelOne();
    else if (this.#harmOneIn > 0 && this.#random.oneIn(Math.ceil(this.#harmOneIn / 5)))
      this.#harm();
    else if (roll === 99) this.#pick(this.#world.partitions).sweep();
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)]!;
  }

  #pass(ms: number): void {
    this.#world.now += ms;
    for (const door of this.#doors) door.runTimers();
  }

  #runDoor(door: SimulatedDoor): void {
    if (this.#random.oneIn(2)) door.hear();
    else door.turn();
  }

  // Partitions.

  #onRunning({ index }: SimulatedPartition): void {
    for (const door of this.#doors) door.attach(index);
    this.#carrier.attend(index);
  }

  #onCrash({ index }: SimulatedPartition, powerCut: boolean): void {
    if (powerCut) this.#promises.powerCut();
    this.#hurt([...this.#pending]);
    for (const door of this.#doors) door.detach(index);
  }

  #hurt(pending: readonly Pending[]): void {
    this.#promises.receivesHurt(pending.flatMap(({ receive }) => receive ?? []));
  }

  #harm(): void {
    const partition = this.#pick(this.#world.partitions);
    const kind = this.#random.below(8);
    if (kind === 0) partition.crash();
    else if (kind === 4) this.#killDoor(this.#pick(this.#doors));
    else if (kind === 5) this.#flip(partition);
    else partition.trouble(kind);
  }

  /** What it has asked goes on in the partitions; its callers hear of nothing any more. */
  #killDoor(door: SimulatedDoor): void {
    const lost = [...this.#pending].filter((each) => each.door === door);
    this.#hurt(lost);
    for (const each of lost) this.#pending.delete(each);
    door.start(this.#catalog.definitions.all());
    if (door !== this.#doors[0]) return;
    this.#carrier = this.#startCarrier();
    for (const { index } of this.#world.partitions) this.#carrier.attend(index);
  }

  #startCarrier(): TransitCarrier {
    const [door] = this.#doors;
    return new TransitCarrier({
      partitions: this.#world.partitions.length,
      calls: door!.router.transit,
      definitions: this.#catalog.definitions,
      sleep: (ms) => door!.sleep(ms),
      logger: {
        ...SILENT_LOGGER,
        error: (_, message) => {
          this.#failure ??= new Violation(message ?? '');
        },
      },
    });
  }

  /** A bit flips while the partition is down: it must start with all that it had, or refuse to, or
   *  say that it has cut something. */
  #flip(partition: SimulatedPartition): void {
    partition.crash();
    const { storage } = partition;
    const path = this.#pick(storage.paths());
    if (path === undefined) return;
    const offset = this.#random.below(storage.content(path).length);
    const bit = 1 << this.#random.below(8);
    const flip = () => storage.corrupt(path, offset, (byte) => byte ^ bit);
    flip();
    const refused = partition.refusesToStart();
    if (refused) flip();
    else this.#reported = partition.remark !== undefined;
    partition.down();
    storage.kill();
    if (!this.#reported) partition.restart();
  }

  // Calls. Each ends by itself, some time later.

  #call(door: SimulatedDoor): void {
    const roll = this.#random.below(100);
    if (roll < 34) this.#send(door);
    else if (roll < 66) this.#receive(door);
    else if (roll < 82) this.#delete(door);
    else if (roll < 88) this.#change(door);
    else if (roll < 90) this.#purge(door);
    else if (roll < 92) this.#peek(door);
    else if (roll < 97) this.#move();
    else this.#track(this.#doors[0]!, {}, this.#catalog.changeSomething(this.#doors));
  }

  #queue(door: SimulatedDoor, names: readonly string[]): QueueDefinition | undefined {
    return door.find(this.#pick(names));
  }

  /** Keeps `work` among the calls under way until it has ended. */
  #track(door: SimulatedDoor, what: Partial<Pending>, work: Promise<void>): void {
    const pending: Pending = { door, life: door.life, ...what };
    this.#pending.add(pending);
    const end = () => this.#pending.delete(pending);
    work.then(end, (error: unknown) => {
      this.#failure ??= error;
    });
  }

  #callOn(queue: QueueDefinition): Call {
    return { queue, step: this.#step, now: this.#world.now };
  }

  #send(door: SimulatedDoor): void {
    const queue = this.#queue(door, this.#catalog.sendable);
    if (queue === undefined) return;
    const { fifo } = queue.attributes;
    const call = this.#callOn(queue);
    const messages = Array.from({ length: 1 + this.#random.below(4) }, () => {
      const id = this.#nextId++;
      const padding = this.#random.oneIn(3) ? this.#random.below(1200) : this.#random.below(30);
      const groupId = fifo || this.#random.oneIn(3) ? `g${this.#random.below(3)}` : undefined;
      const keyed = fifo && this.#random.oneIn(2);
      const deduplicationId = keyed ? `d${this.#random.below(8)}` : undefined;
      const delayMs = !fifo && this.#random.oneIn(5) ? this.#random.below(4000) : undefined;
      this.#promises.sendAsked(call, id, groupId, deduplicationId);
      return { id, body: `${id}:${'x'.repeat(padding)}:${id}`, groupId, deduplicationId, delayMs };
    });
    const ids = messages.map(({ id }) => id);
    const send = this.#random.oneIn(2)
      ? () => door.router.send(queue, messages)
      : () => sendEncoded({ send: door.router.sendEncoded.bind(door.router) }, queue, messages);
    this.#track(door, {}, this.#sent(ids, send));
  }

  async #sent(ids: readonly number[], send: () => Promise<SendOutcome[]>): Promise<void> {
    const outcomes = await send().catch((error: unknown) => codeOf(error));
    ids.forEach((id, i) => {
      const outcome = typeof outcomes === 'string' ? undefined : outcomes[i]!;
      const code = typeof outcomes === 'string' ? outcomes : outcome!.error;
      if (code === undefined) {
        const { messageId, sequenceNumber } = outcome!;
        this.#promises.accepted(id, messageId, sequenceNumber, this.#step, this.#world.now);
      } else if (REFUSED.has(code)) {
        this.#promises.refused(id);
      }
    });
  }

  #receive(door: SimulatedDoor): void {
    const queue = this.#queue(door, this.#catalog.receivable);
    if (queue === undefined) return;
    const waitMs = this.#pick(WAITS_MS);
    const timeoutMs = this.#pick([-1, 0, 500, 5000, 20_000]);
    const attempted = queue.attributes.fifo && this.#random.oneIn(3);
    const attemptId = attempted ? `${queue.queueId}-${this.#random.below(3)}` : undefined;
    const call: ReceiveCall = { ...this.#callOn(queue), timeoutMs, attemptId };
    this.#promises.receiveAsked(call);
    const cancel = new AbortController();
    const options = {
      max: 1 + this.#random.below(8),
      waitMs,
      attemptId,
      visibilityTimeoutMs: timeoutMs < 0 ? undefined : timeoutMs,
      signal: waitMs > 0 ? cancel.signal : undefined,
    };
    const work = this.#received(call, cancel.signal, door.router.receive(queue, options));
    this.#track(door, { receive: call, ...(waitMs > 0 ? { cancel } : {}) }, work);
  }

  async #received(
    call: ReceiveCall,
    cancel: AbortSignal,
    receiving: Promise<DeliveredMessage[]>,
  ): Promise<void> {
    const messages = await receiving.catch((error: unknown) => codeOf(error));
    const seen = typeof messages === 'string' ? [] : messages.map((each) => see(call.queue, each));
    this.#promises.received(call, seen, this.#step, this.#world.now);
    this.#promises.receiveEnded(call, cancel.aborted && seen.length === 0);
    this.#held.push(...seen);
  }

  #cancelOne(): void {
    const waiting = [...this.#pending].filter(({ cancel }) => cancel?.signal.aborted === false);
    if (waiting.length > 0) this.#pick(waiting).cancel!.abort();
  }

  /** Some of the receipts at hand, all of one queue. */
  #someHeld(): Held[] {
    if (this.#held.length === 0) return [];
    const { queue } = this.#pick(this.#held);
    return this.#held
      .filter((each) => each.queue.queueId === queue.queueId && this.#random.oneIn(2))
      .slice(-8);
  }

  #delete(door: SimulatedDoor): void {
    const held = this.#someHeld();
    if (held.length > 0) this.#track(door, {}, this.#deleted(door.router, held));
  }

  async #deleted(router: Router, held: readonly Held[]): Promise<void> {
    const { queue } = held[0]!;
    this.#promises.deleteAsked(held.map(({ id }) => id));
    const asText = this.#random.oneIn(2);
    const receipts = held.map(({ message }) => (asText ? message.receiptHandle : message));
    const results = await router.delete(queue, receipts).catch((error: unknown) => codeOf(error));
    if (typeof results === 'string') return;
    held.forEach(({ id, sequence }, i) => {
      if (results[i] === undefined) this.#promises.deleted(queue.queueId, id, sequence, this.#step);
    });
  }

  #change(door: SimulatedDoor): void {
    const held = this.#someHeld();
    if (held.length > 0) this.#track(door, {}, this.#changed(door.router, held));
  }

  async #changed(router: Router, held: readonly Held[]): Promise<void> {
    const { queue } = held[0]!;
    const { now } = this.#world;
    const timeoutMs = this.#pick([0, 300, 15_000]);
    this.#promises.changeAsked(held, timeoutMs, now);
    const receipts = held.map(({ message }) => message);
    const results = await router
      .changeVisibility(queue, receipts, Array(held.length).fill(timeoutMs))
      .catch((error: unknown) => codeOf(error));
    const certain = (i: number) => typeof results !== 'string' && results[i] === undefined;
    this.#promises.changeEnded(held, certain, timeoutMs, now);
  }

  #purge(door: SimulatedDoor): void {
    const queue = this.#queue(door, this.#catalog.receivable);
    if (queue === undefined) return;
    const call = this.#callOn(queue);
    this.#promises.purgeAsked(call);
    const work = door.router.purge(queue).then(() => this.#promises.purged(call, this.#step));
    this.#track(door, {}, work.catch(requireTrouble));
  }

  #peek(door: SimulatedDoor): void {
    const queue = this.#queue(door, this.#catalog.receivable);
    if (queue === undefined) return;
    const look = async () => {
      for (const each of await door.router.peek(queue, 50)) {
        const { id } = see(queue, each);
        if (!this.#promises.messages.has(id)) throw new Violation(`${id} is there, and never sent`);
      }
    };
    this.#track(door, {}, look().catch(requireTrouble));
  }

  /** A step of a move, which the main thread's router does. */
  #move(): void {
    const [door] = this.#doors;
    const { source, destinationId } = this.#pick(this.#catalog.moves);
    const { index } = this.#pick(this.#world.partitions);
    const call = this.#callOn(source);
    const { router } = door!;
    const work = async () => {
      await this.#carrier.step(index, () => {
        this.#promises.moveAsked(call);
        return router.move(source.queueId, destinationId, index, 3);
      });
    };
    const ended = () => this.#promises.moveEnded(call);
    this.#track(door!, {}, work().catch(requireTrouble).then(ended));
  }

  // The end.

  /** Everything runs again, and every call ends. */
  async #heal(): Promise<void> {
    for (const partition of this.#world.partitions) {
      partition.crash();
      partition.restart();
      if (partition.actor === undefined) throw new Violation('a sound disk was not recovered from');
    }
    await this.#settle();
    this.#held = [];
    this.#promises.draining = true;
  }

  async #settle(): Promise<void> {
    for (let round = 0; this.#pending.size > 0; round++) {
      if (round === SETTLE_ROUNDS_MAX) throw new Violation('a call never ends');
      this.#pass(50);
      for (const partition of this.#world.partitions) {
        const alive = partition.act((actor) => actor.turn(this.#world.now));
        if (!alive) throw new Violation('a partition died on a sound disk');
      }
      for (const door of this.#doors) {
        door.hear();
        door.turn();
      }
      await this.#microtasks();
    }
  }

  async #drain(): Promise<void> {
    const [door] = this.#doors;
    for (let round = 0; round < DRAIN_ROUNDS_MAX; round++) {
      this.#pass(FOREVER_MS);
      for (const queue of this.#catalog.definitions.all()) await this.#drainOne(door!, queue);
      if (this.#world.partitions.every(({ state }) => state!.table.count === 0)) {
        const { now } = this.#world;
        this.#promises.checkAllDelivered(now, (queueId) => this.#catalog.retentionOf(queueId));
        for (const { state } of this.#world.partitions) checkInvariants(state!.store);
        return;
      }
    }
    throw new Violation('messages are left that nobody can receive');
  }

  async #drainOne(door: SimulatedDoor, queue: QueueDefinition): Promise<void> {
    for (let asked = 0; asked <= this.#world.partitions.length; asked++) {
      this.#step++;
      const timeoutMs = 43_000_000;
      const call: ReceiveCall = { ...this.#callOn(queue), timeoutMs, attemptId: undefined };
      this.#promises.receiveAsked(call);
      const options = { max: 100, waitMs: 0, visibilityTimeoutMs: timeoutMs };
      const receiving = door.router.receive(queue, options);
      this.#track(door, {}, this.#received(call, new AbortController().signal, receiving));
      await this.#settle();
      const held = this.#held.splice(0);
      if (held.length > 0) this.#track(door, {}, this.#deleted(door.router, held));
      await this.#settle();
    }
  }
}

/** What a delivery says, with a body that is whole. */
function see(queue: QueueDefinition, message: DeliveredMessage): Held {
  const body = message.text();
  const id = Number.parseInt(body, 10);
  if (!/^(\d+):x*:\1$/.test(body)) throw new Violation(`a body is damaged: ${body.slice(0, 40)}`);
  const { messageId, sequenceNumber: sequence, receiveCount: count } = message;
  return { id, messageId, sequence, count, queue, message };
}

/** The code of an error that clients are told of; anything else is a defect. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (REFUSED.has(code) || UNKNOWN.has(code)) return code;
  throw error;
}

function requireTrouble(error: unknown): void {
  codeOf(error);
}
