/* Runs commands on a partition's state and on the reference, and holds the one against the other
 * after every step, and after every recovery. */

import type { QueueSettings } from '../../src/command/queue-definition.ts';
import { FaultyStorage } from '../support/faulty-storage.ts';
import {
  type MessageView,
  PartitionState,
  settingsOf,
  type TestReceipt,
} from '../support/partition-state.ts';
import {
  deduplicationKey,
  type ReferenceMessage,
  ReferencePartition,
  rememberAttempt,
  repeatedAttempt,
} from '../support/reference-queue.ts';
import { checkInvariants } from '../support/state-invariants.ts';
import type { Command } from './commands.ts';

type QueueName = Extract<Command, { do: 'send' }>['queue'];

const START_MS = 1_700_000_000_000;
const NOT_IN_FLIGHT = 'CAPSTAN_MESSAGE_NOT_IN_FLIGHT';
const TOTAL_VISIBILITY_MS = 43_201_000;

const DEAD_LETTER: Partial<Record<QueueName, QueueName>> = { work: 'workDead', fifo: 'fifoDead' };

/** Nothing that a deadline looks at when it passes: a passing is not logged, so it is looked at
 *  anew after a restart. */
const VARIANTS: readonly Partial<QueueSettings>[] = [
  {},
  { visibilityTimeoutMs: 1000 },
  { delayMs: 800 },
  { retentionMs: 60_000 },
  { inFlightMax: 2 },
  { deduplicationPerGroup: true },
];

interface HeldReceipt extends TestReceipt {
  readonly id: number;
  /** The turn of its receive has ended: a client has it. */
  handedOut: boolean;
}

function expectThat(condition: boolean, what: () => string): void {
  if (!condition) throw new Error(what());
}

export class PartitionRun {
  readonly #maxReceiveCount: number;
  readonly #storage: FaultyStorage;
  readonly #part: PartitionState;
  #reference = new ReferencePartition();
  /** What the state may be after a crash: as of the last sync, and after every command since. */
  #history: ReferencePartition[] = [];
  /** Of the last that was handed to the operating system. */
  #written = 0;
  #now = START_MS;
  #nextId = 1;
  #nextQueueId = 10;
  readonly #ids: Record<QueueName, number> = {
    work: 1,
    workDead: 2,
    fifo: 3,
    fifoDead: 4,
    slow: 5,
  };
  readonly #variants = new Map<QueueName, Partial<QueueSettings>>();
  readonly #receipts = new Map<number, HeldReceipt[]>();

  constructor(seed: number) {
    this.#storage = new FaultyStorage({ seed });
    this.#maxReceiveCount = 1 + (seed % 3);
    const settings = this.#allSettings();
    this.#part = new PartitionState(this.#storage, settings, this.#now);
    for (const each of settings) this.#reference.define(each);
    this.#history.push(this.#reference.clone());
  }

  #settings(name: QueueName): QueueSettings {
    const dead = DEAD_LETTER[name];
    return settingsOf(this.#ids[name], {
      fifo: name.startsWith('fifo'),
      ...(dead === undefined
        ? {}
        : { deadLetterQueueId: this.#ids[dead], maxReceiveCount: this.#maxReceiveCount }),
      ...(name === 'slow'
        ? { delayMs: 500, retryBackoff: { baseMs: 1000, factor: 3, maxMs: 20_000 } }
        : {}),
      ...this.#variants.get(name),
    });
  }

  #allSettings(): QueueSettings[] {
    return (Object.keys(this.#ids) as QueueName[]).map((name) => this.#settings(name));
  }

  run(commands: readonly Command[]): void {
    for (const command of [...commands, { do: 'endTurn' }, { do: 'kill' }] as Command[]) {
      this.#step(command);
    }
  }

  #step(command: Command): void {
    switch (command.do) {
      case 'wait':
        this.#now += command.ms;
        this.#part.state.tick(this.#now);
        this.#reference.tick(this.#now);
        break;
      case 'send':
        this.#send(command);
        break;
      case 'receive':
        this.#receive(command);
        break;
      case 'delete':
        this.#delete(command.queue, command.picks);
        break;
      case 'changeVisibility':
        this.#changeVisibility(command.queue, command.picks, command.timeoutMs);
        break;
      case 'purge':
        this.#part.state.purge(this.#ids[command.queue], this.#now);
        this.#reference.queue(this.#ids[command.queue]).messages = [];
        break;
      case 'drop':
        this.#drop(command.queue);
        break;
      case 'define':
        this.#variants.set(command.queue, VARIANTS[command.variant]!);
        this.#define(command.queue);
        break;
      case 'move':
        // Each is a record of its own, and a crash may come between them.
        for (let i = 1; i < command.max; i++) {
          this.#move(command.queue, command.back);
          this.#compare();
          this.#history.push(this.#reference.clone());
        }
        this.#move(command.queue, command.back);
        break;
      case 'peek':
        this.#peek(command.queue);
        break;
      case 'sweep':
        this.#part.state.sweep(this.#now, 1000);
        break;
      case 'clean':
        for (let i = 0; i < command.steps; i++) this.#part.cleaner.step(this.#now);
        break;
      case 'endTurn':
        this.#endTurn();
        return;
      case 'kill':
      case 'cutPower':
        this.#crash(command.do);
        return;
    }
    this.#compare();
    const before = this.#history.at(-1);
    if (before !== undefined) this.#history.push(...before.towards(this.#reference));
    this.#history.push(this.#reference.clone());
  }

  #compare(): void {
    checkInvariants(this.#part.state.store);
    const actual = this.#part.dump();
    this.#reference.followLazy(actual, this.#now);
    const difference = this.#reference.difference(actual, this.#part.state.store.nextSequence);
    expectThat(difference === undefined, () => difference!);
    for (const [queueId, { settings, messages }] of this.#reference.queues) {
      const counts = this.#part.state.inspect(queueId);
      const inState = (...states: string[]) =>
        messages.filter(({ state }) => states.includes(state)).length;
      expectThat(counts.visible === inState('ready'), () => `queue ${queueId}: visible`);
      expectThat(counts.inFlight === inState('inFlight'), () => `queue ${queueId}: in flight`);
      expectThat(counts.delayed === inState('delayed', 'held'), () => `queue ${queueId}: delayed`);
      // On a standard queue it is the oldest at the heads of lists, which are in no strict order.
      const ages = messages.length === 0 ? [0] : messages.map(({ sentAt }) => sentAt);
      const oldest = settings.fifo ? [Math.min(...ages)] : ages;
      expectThat(oldest.includes(counts.oldestSentAt), () => `queue ${queueId}: the oldest`);
    }
  }

  #send({ queue: name, messages }: Extract<Command, { do: 'send' }>): void {
    const { settings } = this.#reference.queue(this.#ids[name]);
    const { queueId, fifo, delayMs: queueDelayMs } = settings;
    const sent = messages.map(({ group, deduplication, delayMs, padding }) => ({
      id: this.#nextId++,
      groupId: group === 0 && !fifo ? undefined : `group ${group}`,
      deduplicationId: deduplication === undefined ? undefined : `id ${deduplication}`,
      delayMs,
      padding,
    }));
    const results = this.#part.send(queueId, sent, this.#now);
    const views = new Map(
      this.#part
        .dump()
        .get(queueId)!
        .map((view) => [view.id, view]),
    );
    sent.forEach(({ id, groupId, deduplicationId, delayMs = queueDelayMs }, i) => {
      const { error, duplicate, sequence } = results[i]!;
      expectThat(error === undefined, () => `message ${id} was refused: ${error}`);
      const key =
        fifo && deduplicationId !== undefined
          ? deduplicationKey(settings, groupId!, deduplicationId)
          : undefined;
      const known = key === undefined ? undefined : this.#reference.duplicateOf(key, this.#now);
      expectThat(duplicate === (known !== undefined), () => `message ${id}: duplicate or not`);
      if (known !== undefined) {
        expectThat(sequence === known, () => `message ${id} is a duplicate of ${known}`);
        return;
      }
      const { bytes } = views.get(id)!;
      this.#reference.insert(queueId, { id, groupId, bytes, sequence }, delayMs, this.#now);
      if (key !== undefined) this.#reference.remember(key, sequence, this.#now);
    });
  }

  #receive(command: Extract<Command, { do: 'receive' }>): void {
    const queueId = this.#ids[command.queue];
    const { max, bytesMax, timeoutMs, attempt } = command;
    const { settings, messages } = this.#reference.queue(queueId);
    const now = this.#now;
    const deadline = now + (timeoutMs < 0 ? settings.visibilityTimeoutMs : timeoutMs);
    const named = settings.fifo && attempt !== 0;
    const repeated = named ? repeatedAttempt(this.#reference, queueId, attempt, now) : undefined;
    const room = settings.inFlightMax - messages.filter((m) => m.state === 'inFlight').length;
    const options = { bytesMax, timeoutMs, attempt };
    const received = this.#part.receive(queueId, max, now, options);
    const ids = typeof received === 'string' ? [] : received.map(({ id }) => id);
    if (repeated !== undefined) {
      const same = ids.join() === repeated.map(({ id }) => id).join();
      expectThat(same, () => `attempt ${attempt}: ${ids.join()}`);
      for (const message of repeated) message.deadline = deadline;
      return;
    }
    if (room <= 0) {
      const refused = settings.fifo ? ids.length === 0 : received === 'CAPSTAN_OVER_LIMIT';
      expectThat(refused, () => `a full queue gave ${JSON.stringify(received)}`);
      return;
    }
    expectThat(
      typeof received !== 'string',
      () => `a receive was refused: ${JSON.stringify(received)}`,
    );
    this.#checkReceived(queueId, received as MessageView[], Math.min(max, room), bytesMax);
    const taken = ids.map((id) => this.#reference.find(queueId, id)!);
    for (const message of taken) this.#reference.deliver(message, now, deadline);
    if (named && taken.length > 0) {
      rememberAttempt(this.#reference, queueId, attempt, taken, now);
    }
    const held = this.#receipts.get(queueId) ?? [];
    this.#receipts.set(queueId, held);
    for (const { id, slot, sequence, delivery } of received as MessageView[]) {
      held.push({ id, slot, sequence, delivery, handedOut: false });
    }
  }

  /** Holds what a receive gave against what it may, and must, give. */
  #checkReceived(queueId: number, received: MessageView[], limit: number, bytesMax: number): void {
    this.#reference.followLazy(this.#part.dump(), this.#now);
    const { settings, messages } = this.#reference.queue(queueId);
    const receivable = this.#reference.receivable(queueId, this.#now);
    const left: ReferenceMessage[] = [...receivable];
    let bytes = 0;
    for (const { id } of received) {
      const at = left.findIndex((message) => message.id === id);
      expectThat(at >= 0, () => `message ${id} could not be received`);
      const [message] = left.splice(at, 1);
      bytes += message!.bytes;
      if (!settings.fifo) continue;
      const overtaken = left.slice(0, at).find((other) => other.groupId === message!.groupId);
      expectThat(overtaken === undefined, () => `message ${id} overtook ${overtaken!.id}`);
    }
    expectThat(received.length <= limit, () => `${received.length} messages instead of ${limit}`);
    expectThat(received.length <= 1 || bytes <= bytesMax, () => `${bytes} bytes`);
    if (received.length === limit || left.length === 0) return;
    const unfit = messages.some(
      (message) =>
        message.state === 'ready' &&
        !this.#reference.isFit(this.#reference.queue(queueId), message, this.#now),
    );
    const full = received.length > 0 && left.some((message) => bytes + message.bytes > bytesMax);
    const excused = received.length > 0 && (unfit || full);
    expectThat(excused, () => `only ${received.length} of ${receivable.length} messages`);
  }

  #pick(name: QueueName, picks: readonly number[]): HeldReceipt[] {
    const held = this.#receipts.get(this.#ids[name]) ?? [];
    if (held.length === 0) return [];
    // The latest are the likeliest to be good for something.
    return picks.map((pick) => held[held.length - 1 - (pick % held.length)]!);
  }

  /** The message of a receipt, if it is where it was. */
  #named(queueId: number, { id, sequence }: HeldReceipt): ReferenceMessage | undefined {
    const message = this.#reference.find(queueId, id);
    return message?.sequence === sequence ? message : undefined;
  }

  #delete(name: QueueName, picks: readonly number[]): void {
    const receipts = this.#pick(name, picks);
    if (receipts.length === 0) return;
    const queueId = this.#ids[name];
    const { fifo } = this.#reference.queue(queueId).settings;
    const expected = receipts.map((receipt) => {
      const message = this.#named(queueId, receipt);
      const held = message?.state === 'inFlight' && message.receiveCount === receipt.delivery;
      return fifo && message !== undefined && !held ? NOT_IN_FLIGHT : undefined;
    });
    const results = this.#part.delete(queueId, receipts, this.#now);
    receipts.forEach((receipt, i) => {
      expectThat(results[i] === expected[i], () => `delete of ${receipt.id}: ${results[i]}`);
      if (expected[i] === undefined && this.#named(queueId, receipt) !== undefined) {
        this.#reference.remove(queueId, receipt.id);
      }
    });
  }

  #changeVisibility(name: QueueName, picks: readonly number[], timeoutMs: number): void {
    const receipts = this.#pick(name, picks);
    if (receipts.length === 0) return;
    const queueId = this.#ids[name];
    const until = this.#now + timeoutMs;
    const held = receipts.map((receipt) => {
      const message = this.#named(queueId, receipt);
      return message?.state === 'inFlight' && message.receiveCount === receipt.delivery
        ? message
        : undefined;
    });
    const results = this.#part.changeVisibility(queueId, receipts, timeoutMs, this.#now);
    held.forEach((message, i) => {
      const late = message !== undefined && until > message.lastReceivedAt + TOTAL_VISIBILITY_MS;
      const expected =
        message === undefined ? NOT_IN_FLIGHT : late ? 'CAPSTAN_INVALID_ARGUMENT' : undefined;
      expectThat(results[i] === expected, () => `change ${receipts[i]!.id}: ${results[i]}`);
      if (message !== undefined && !late) message.deadline = until;
    });
    this.#part.state.tick(this.#now);
    this.#reference.tick(this.#now);
  }

  #define(name: QueueName): void {
    this.#part.state.define(this.#settings(name));
    this.#reference.define(this.#settings(name));
    // Definitions are the catalog's: no crash takes them back.
    for (const past of this.#history) past.define(this.#settings(name));
  }

  /** Deletes a queue, and creates another of that name. */
  #drop(name: QueueName): void {
    const queueId = this.#ids[name];
    this.#part.state.drop(queueId, this.#now);
    this.#reference.queues.delete(queueId);
    for (const past of this.#history) past.queues.delete(queueId);
    this.#ids[name] = this.#nextQueueId++;
    this.#define(name);
    for (const source of ['work', 'fifo'] as const) {
      if (DEAD_LETTER[source] === name) this.#define(source);
    }
  }

  #move(name: QueueName, back: boolean): void {
    const from = this.#ids[name];
    const destination = back ? 0 : this.#ids[name === 'workDead' ? 'slow' : 'fifo'];
    const before = new Map(
      this.#part
        .dump()
        .get(from)!
        .map((view) => [view.id, view]),
    );
    this.#part.state.move(from, destination, 1, () => undefined, this.#now);
    const after = this.#part.dump();
    const { moved, left } = this.#part.state.moveResult;
    let seen = 0;
    for (const { id, state, source } of before.values()) {
      if (after.get(from)!.some((view) => view.id === id)) continue;
      seen++;
      const to = back ? source : destination;
      expectThat(state === 'ready', () => `message ${id} was moved while ${state}`);
      expectThat(
        after.get(to)!.some((view) => view.id === id),
        () => `${id} was moved astray`,
      );
      this.#reference.move(from, id, to, 0, true, this.#now);
    }
    expectThat(seen === moved && moved <= 1, () => `${seen} were moved, not ${moved}`);
    const visible = after.get(from)!.filter(({ state }) => state === 'ready').length;
    expectThat(left === visible, () => `${visible} are left, not ${left}`);
  }

  #peek(name: QueueName): void {
    const { messages } = this.#reference.queue(this.#ids[name]);
    const seen = this.#part.peek(this.#ids[name], 100) as MessageView[];
    expectThat(seen.length === Math.min(100, messages.length), () => `${seen.length} seen`);
  }

  #endTurn(): void {
    const durable = this.#part.endTurn();
    for (const held of this.#receipts.values()) for (const each of held) each.handedOut = true;
    const latest = this.#history.at(-1)!;
    if (durable) this.#history = [latest];
    this.#written = this.#history.length - 1;
  }

  #crash(how: 'kill' | 'cutPower'): void {
    this.#storage[how]();
    for (const [queueId, held] of this.#receipts) {
      this.#receipts.set(
        queueId,
        held.filter(({ handedOut }) => handedOut),
      );
    }
    this.#part.recover(this.#allSettings(), this.#now);
    checkInvariants(this.#part.state.store);
    const actual = this.#part.dump();
    const first = how === 'kill' ? this.#written : 0;
    const differences: string[] = [];
    // A full frame may have been written before its turn had ended. More than one may fit.
    const fitting: ReferencePartition[] = [];
    for (const before of this.#history.slice(first)) {
      const past = before.clone();
      past.tick(this.#now);
      past.followLazy(actual, this.#now);
      const difference = past.difference(actual, this.#part.state.store.nextSequence);
      if (difference === undefined) {
        this.#reference = past;
        fitting.push(before);
      } else {
        differences.push(difference);
      }
    }
    if (fitting.length > 0) {
      // What the recovery itself wrote is not on disk yet.
      this.#history = [...fitting, this.#reference.clone()];
      this.#written = 0;
      return;
    }
    throw new Error(`after ${how}: no earlier state fits:\n${differences.join('\n')}`);
  }
}
