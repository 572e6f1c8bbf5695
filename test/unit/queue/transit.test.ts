/* Moves of FIFO messages to groups that live on other partitions, with every step, crash and
 * repetition in any order. */

import { describe, expect, it } from 'vitest';
import { transitQueueId } from '../../../src/command/queue-definition.ts';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { type MessageView, PartitionState, settingsOf } from '../../support/partition-state.ts';
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts';
import { checkInvariants } from '../../support/state-invariants.ts';

const DEAD = 1;
const TARGET = 2;
const QUEUES = [settingsOf(DEAD, { fifo: true }), settingsOf(TARGET, { fifo: true })];
const PARTITIONS = 3;
const GROUPS = 5;
const SEEDS = Number(process.env['CAPSTAN_TEST_SEEDS'] ?? 2);
const STEPS = 400;

const groupOf = (id: number) => id % GROUPS;
const homeOf = (id: number) => groupOf(id) % PARTITIONS;

/** The partitions, and the router between them. */
class World {
  now = 1_700_000_000_000;
  readonly random: SeededRandom;
  readonly parts: PartitionState[];
  /** By id: where it was sent to the dead-letter queue, acknowledged. */
  readonly sent = new Map<number, number>();
  /** Ids deleted from the target, acknowledged, in that order. */
  readonly done: number[] = [];
  crashes = 0;
  #nextId = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.parts = Array.from(
      { length: PARTITIONS },
      (_, p) => new PartitionState(new FaultyStorage({ seed: seed * 10 + p }), QUEUES, this.now),
    );
  }

  step(): void {
    const { random } = this;
    this.now += random.below(50);
    const p = random.below(PARTITIONS);
    const roll = random.below(100);
    if (roll < 25) this.#send(p);
    else if (roll < 45) this.move(p, 1 + random.below(6));
    else if (roll < 70) this.carry(p, random.below(PARTITIONS), random.below(4));
    else if (roll < 80) this.consume(p, 1 + random.below(5));
    else if (roll < 92) this.#clean(p);
    else this.crash(p);
  }

  #send(p: number): void {
    const count = 1 + this.random.below(4);
    const messages = Array.from({ length: count }, () => {
      const id = this.#nextId++;
      return { id, groupId: `g${groupOf(id)}`, padding: this.random.below(500), delayMs: 5000 };
    });
    // A delay that was over long ago must not come again with the next queue.
    this.parts[p]!.send(DEAD, messages, this.now - 5000);
    this.parts[p]!.state.tick(this.now);
    this.parts[p]!.endTurn();
    for (const { id } of messages) this.sent.set(id, p);
  }

  move(p: number, max: number): void {
    const part = this.parts[p]!;
    const elsewhere = (slot: number) => {
      const home = homeOf(part.view(slot).id);
      return home === p ? undefined : home;
    };
    part.state.move(DEAD, TARGET, max, (_, slot) => elsewhere(slot), this.now);
    if (!this.random.oneIn(3)) part.endTurn();
  }

  /** Carries one batch as far as `steps` says, as a router that dies after that. */
  carry(from: number, to: number, steps = 3): boolean {
    const source = this.parts[from]!;
    const target = this.parts[to]!;
    const transitId = transitQueueId(to);
    const count = source.state.peek(transitId, 1 + this.random.below(8), 100_000);
    if (from === to || count === 0) return false;
    const views = [...source.state.receiving.slots.subarray(0, count)].map((s) => source.view(s));
    const sequences = Buffer.alloc(count * 8);
    views.forEach(({ sequence }, i) => sequences.writeDoubleLE(sequence, i * 8));
    const entries = views.map(({ slot }) => entryOf(source, slot));
    source.endTurn(); // A reply is sent after its turn's commit.
    if (steps < 1) return true;
    const payload = Buffer.concat([sequences, ...entries]);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    const error = target.state.transit.takeOver(TARGET, from, payload, view, 0, count, this.now);
    expect(error).toBe(0);
    if (steps < 2) return true;
    target.endTurn();
    if (steps < 3) return true;
    source.state.transit.arrived(transitId, views.at(-1)!.sequence, 1000, this.now);
    if (!this.random.oneIn(3)) source.endTurn();
    return true;
  }

  consume(p: number, max: number): number {
    const part = this.parts[p]!;
    const received = part.receive(TARGET, max, this.now);
    if (typeof received === 'string') throw new Error(received);
    part.endTurn();
    for (const { id } of received) expect(homeOf(id), `where ${id} is received`).toBe(p);
    expect(part.delete(TARGET, received, this.now)).toEqual(received.map(() => undefined));
    part.endTurn();
    this.done.push(...received.map(({ id }) => id));
    return received.length;
  }

  #clean(p: number): void {
    const part = this.parts[p]!;
    for (let left = 1 + this.random.below(30); left > 0 && part.cleaner.step(this.now); left--);
    part.endTurn();
  }

  crash(p: number): void {
    const part = this.parts[p]!;
    this.crashes++;
    if (this.random.oneIn(2)) part.storage.kill();
    else part.storage.cutPower();
    part.recover(QUEUES, this.now);
    checkInvariants(part.state.store);
  }

  /** Lets everything arrive and be consumed. */
  settle(): void {
    for (let p = 0; p < PARTITIONS; p++) {
      this.parts[p]!.endTurn();
      this.move(p, 1000);
      this.parts[p]!.endTurn();
      for (let to = 0; to < PARTITIONS; to++) while (this.carry(p, to));
      this.parts[p]!.endTurn();
      this.crash(p);
    }
    for (let p = 0; p < PARTITIONS; p++) while (this.consume(p, 10) > 0);
  }
}

function entryOf(part: PartitionState, slot: number): Buffer {
  const { table } = part.state;
  part.log.read(table.position(slot), table.entryBytes(slot));
  const { readBuffer, readOffset } = part.log;
  return Buffer.from(readBuffer.subarray(readOffset, readOffset + table.entryBytes(slot)));
}

/** Holds what was deleted from the target against what was sent. */
function judge({ sent, done }: World): void {
  expect(done.toSorted((a, b) => a - b)).toEqual([...sent.keys()]);
  for (let group = 0; group < GROUPS; group++) {
    for (let from = 0; from < PARTITIONS; from++) {
      const order = done.filter((id) => groupOf(id) === group && sent.get(id) === from);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }
  }
}

describe('FIFO messages moved to groups of other partitions', () => {
  it('arrive once and in order, whatever crashes between any two steps', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed);
      for (let step = 0; step < STEPS; step++) world.step();
      world.settle();
      expect(world.crashes).toBeGreaterThan(3);
      judge(world);
    }
  });

  it('are known where they went when the log that told of it was given back', () => {
    const world = new World(1);
    const [from, to] = world.parts;
    from!.send(DEAD, [{ id: 1, groupId: 'g1' }], world.now);
    world.sent.set(1, 0);
    world.move(0, 10);
    // The router dies before it can tell that the message has arrived.
    world.carry(0, 1, 2);
    expect(world.consume(1, 10)).toBe(1);
    const oldest = to!.log.firstRegion;
    while (to!.log.firstRegion === oldest) {
      to!.send(TARGET, [{ id: 6, groupId: 'g1', padding: 1000 }], world.now);
      to!.delete(TARGET, to!.receive(TARGET, 10, world.now) as MessageView[], world.now);
      to!.endTurn();
      to!.cleaner.step(world.now);
      to!.endTurn();
    }
    world.crash(1);
    world.settle();
    judge(world);
  });

  it('are nowhere to be received while they are on their way', () => {
    const world = new World(1);
    const [part] = world.parts;
    // Group 1 lives on partition 1.
    part!.send(DEAD, [{ id: 1, groupId: 'g1' }], world.now);
    world.move(0, 10);
    expect(part!.receive(DEAD, 10, world.now)).toEqual([]);
    expect(part!.receive(TARGET, 10, world.now)).toEqual([]);
    expect(part!.state.transit.count).toBe(1);
    expect(part!.state.moveResult).toMatchObject({ moved: 1, left: 0, inTransit: 1 });
  });
});
