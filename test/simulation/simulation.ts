/* One simulation: from a seed, random work of several clients on a few partitions, whose disks fail
 * and whose processes die; then everything heals, the queues are drained, and nothing may be
 * missing. */

import { settingsOf } from '../support/partition-state.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { checkInvariants } from '../support/state-invariants.ts';
import { type Asked, Checker } from './checker.ts';
import { Violation } from './violation.ts';
import { putRequest, type Receipt, type Request, type SentMessage, takeReply } from './wire.ts';
import { type SimulatedPartition, World } from './world.ts';

const WORK = 1;
const WORK_DEAD = 2;
const FIFO = 3;
const FIFO_DEAD = 4;
const PLAIN = 5;
const QUEUE_IDS = [WORK, WORK_DEAD, FIFO, FIFO_DEAD, PLAIN] as const;
const STEPS = 400;
/** Of so many of those moments, about, the power goes at one. */
const CUT_ONE_IN = 4;
const DRAIN_ROUNDS_MAX = 60;
const FOREVER_MS = 40_000_000;

interface HeldReceipt extends Receipt {
  readonly queueId: number;
  readonly partition: number;
}

interface Client {
  readonly index: number;
  readonly asked: Map<number, Asked>;
  readonly receipts: HeldReceipt[];
}

export class Simulation {
  readonly #random: SeededRandom;
  readonly #world: World;
  readonly #checker: Checker;
  readonly #clients: Client[];
  /** How often things go wrong: of one seed, never; of another, all the time. */
  readonly #crashOneIn: number;
  /** Of some seeds: clients keep their queues short, so that the log's regions are given back. */
  readonly #tidy: boolean;
  #step = 0;
  #nextId = 1;
  #nextCorrelation = 1;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#random = random;
    const partitions = 1 + random.below(2);
    this.#clients = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
      index,
      asked: new Map<number, Asked>(),
      receipts: [],
    }));
    this.#tidy = random.oneIn(3);
    this.#crashOneIn = [0, 40, 15, 8][random.below(4)]!;
    this.#world = new World(random, partitions, this.#clients.length);
    this.#checker = new Checker(this.#world.queues);
    const maxReceiveCount = 1 + random.below(3);
    const define = (queueId: number, over: object) =>
      this.#world.queues.set(queueId, settingsOf(queueId, { retentionMs: 1e12, ...over }));
    define(WORK, { deadLetterQueueId: WORK_DEAD, maxReceiveCount });
    define(WORK_DEAD, {});
    define(FIFO, { fifo: true, deadLetterQueueId: FIFO_DEAD, maxReceiveCount });
    define(FIFO_DEAD, { fifo: true });
    const retryBackoff = { baseMs: 1000, factor: 2, maxMs: 10_000 };
    define(PLAIN, { delayMs: 2000, ...(random.oneIn(2) ? { retryBackoff } : {}) });
    this.#world.onCrash = (partition, powerCut) => this.#onCrash(partition, powerCut);
    for (const partition of this.#world.partitions) partition.start();
  }

  /** Throws what it finds wrong. */
  run(): void {
    for (this.#step = 1; this.#step <= STEPS; this.#step++) this.#act();
    this.#heal();
    this.#drain();
  }

  #act(): void {
    const roll = this.#random.below(100);
    if (roll < 30) this.#ask(this.#pick(this.#clients));
    else if (roll < 60) this.#pick(this.#world.partitions).live();
    else if (roll < 85) this.#listen(this.#pick(this.#clients), this.#pick(this.#world.partitions));
    else if (roll < 93)
      this.#world.now += this.#random.oneIn(this.#tidy ? 16 : 4)
        ? 31_000
        : this.#random.below(1500);
    else if (this.#crashOneIn > 0 && this.#random.oneIn(Math.ceil(this.#crashOneIn / 5)))
      this.#harm();
    else if (roll === 99) this.#pick(this.#world.partitions).sweep();
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)]!;
  }

  // Partitions.

  /** Something is to go wrong, now or with one of the next calls of the disk. */
  #harm(): void {
    const partition = this.#pick(this.#world.partitions);
    const kind = this.#random.below(6);
    if (kind === 0) partition.crash();
    else partition.trouble(kind);
  }

  /** Replies that were on their way do not come. */
  #onCrash(partition: SimulatedPartition, powerCut: boolean): void {
    if (powerCut) this.#checker.powerCut(partition.index);
    for (const { asked } of this.#clients) {
      const lost = [...asked].filter(([, each]) => each.partition === partition.index);
      for (const [correlation] of lost) asked.delete(correlation);
      this.#checker.lost(lost.map(([, each]) => each));
    }
  }

  // Clients.

  #ask(client: Client): void {
    const partition = this.#pick(this.#world.partitions);
    const request = this.#request(client, partition.index);
    if (request !== undefined) this.#put(client, partition, request);
  }

  #put(client: Client, partition: SimulatedPartition, request: Request): void {
    const end = partition.ends[client.index];
    if (end === undefined) return;
    const correlation = this.#nextCorrelation++;
    if (!putRequest(end, request, correlation)) return;
    const { now } = this.#world;
    const asked: Asked = { request, partition: partition.index, step: this.#step, now };
    client.asked.set(correlation, asked);
    this.#checker.asked(asked);
  }

  #request(client: Client, partition: number): Request | undefined {
    const queueId = this.#pick(QUEUE_IDS);
    const roll = this.#random.below(100);
    if (roll < 30) {
      const target = queueId === WORK_DEAD ? WORK : queueId === FIFO_DEAD ? FIFO : queueId;
      return { op: 'send', queueId: target, messages: this.#newMessages(target) };
    }
    if (roll < 65) {
      const timeoutMs = this.#pick([-1, 0, 500, 5000, 20_000]);
      const max = 1 + this.#random.below(this.#tidy ? 20 : 5);
      return { op: 'receive', queueId, max, timeoutMs };
    }
    if (roll < 97) return this.#receiptRequest(client, partition, roll < 85);
    if (roll < 98) return { op: 'purge', queueId };
    return { op: 'move', queueId: this.#pick([WORK_DEAD, FIFO_DEAD]), max: 3 };
  }

  #newMessages(queueId: number): SentMessage[] {
    const fifo = queueId === FIFO;
    return Array.from({ length: 1 + this.#random.below(4) }, () => ({
      id: this.#nextId++,
      groupId: fifo || this.#random.oneIn(3) ? `g${this.#random.below(3)}` : undefined,
      deduplicationId: fifo && this.#random.oneIn(2) ? `d${this.#random.below(8)}` : undefined,
      delayMs: !fifo && this.#random.oneIn(5) ? this.#random.below(4000) : undefined,
      padding: this.#random.oneIn(3) ? this.#random.below(1200) : this.#random.below(30),
    }));
  }

  #receiptRequest(client: Client, partition: number, forDelete: boolean): Request | undefined {
    const known = client.receipts.filter((receipt) => receipt.partition === partition);
    if (known.length === 0) return undefined;
    const { queueId } = this.#pick(known);
    const receipts = known
      .filter((receipt) => receipt.queueId === queueId)
      .filter(() => this.#tidy || this.#random.oneIn(2))
      .slice(this.#tidy ? -40 : -1 - this.#random.below(5));
    if (receipts.length === 0) return undefined;
    if (forDelete) return { op: 'delete', queueId, receipts };
    return { op: 'change', queueId, receipts, timeoutMs: this.#pick([0, 300, 15_000]) };
  }

  /** Takes some of the replies that have come. */
  #listen(client: Client, partition: SimulatedPartition): void {
    const end = partition.ends[client.index];
    if (end === undefined) return;
    for (let left = 1 + this.#random.below(4); left > 0; left--) {
      const reply = takeReply(end, (correlation) => client.asked.get(correlation)!.request);
      if (reply === undefined) return;
      const asked = client.asked.get(reply.correlation)!;
      client.asked.delete(reply.correlation);
      this.#checker.replied(asked, reply, this.#step, this.#world.now);
      const { queueId, op } = asked.request;
      for (const { slot, sequence, delivery } of reply.deliveries) {
        client.receipts.push({ slot, sequence, delivery, queueId, partition: partition.index });
      }
      const isDeadLetter = reply.deliveries.some(({ source }) => source !== 0);
      if ((isDeadLetter || op === 'delete') && this.#cutsAtAnswer()) {
        partition.crash(true);
        return;
      }
    }
  }

  /** The moment at which somebody knows that a message is gone from where it was, and nobody has
   *  asked for more: what that rests on must be on the disk already. */
  #cutsAtAnswer(): boolean {
    return !this.#checker.draining && this.#crashOneIn > 0 && this.#random.oneIn(CUT_ONE_IN);
  }

  // The end.

  #heal(): void {
    for (const partition of this.#world.partitions) {
      partition.crash();
      partition.restart();
      if (partition.actor === undefined) throw new Violation('a sound disk was not recovered from');
    }
    for (const client of this.#clients) client.receipts.length = 0;
    this.#checker.draining = true;
  }

  #drain(): void {
    const client = this.#clients[0]!;
    for (let round = 0; round < DRAIN_ROUNDS_MAX; round++) {
      this.#world.now += FOREVER_MS;
      for (const partition of this.#world.partitions) {
        for (const queueId of QUEUE_IDS) {
          this.#step++;
          this.#put(client, partition, { op: 'receive', queueId, max: 100, timeoutMs: FOREVER_MS });
          this.#settle(client, partition);
          const receipts = client.receipts.splice(0);
          if (receipts.length === 0) continue;
          this.#put(client, partition, { op: 'delete', queueId, receipts });
          this.#settle(client, partition);
        }
      }
      if (this.#world.partitions.every(({ state }) => state!.table.count === 0)) {
        this.#checker.checkAllDelivered();
        for (const { state } of this.#world.partitions) checkInvariants(state!.store);
        return;
      }
    }
    throw new Violation('messages are left that nobody can receive');
  }

  #settle(client: Client, partition: SimulatedPartition): void {
    do {
      const alive = partition.act((actor) => actor.turn(this.#world.now));
      if (!alive) throw new Violation('a partition died on a sound disk');
      this.#listen(client, partition);
    } while (client.asked.size > 0);
  }
}
