/* What a partition promises, in arrays: every step is a search. Messages are known by their ids,
 * which are never sent twice. Where the promise leaves room (which of several messages a standard
 * queue gives first, when a message that is past its retention goes), it takes up what the
 * partition did, if that is allowed. */

import type { QueueSettings } from '../../src/command/queue-definition.ts';
import type { MessageView, StateName } from './partition-state.ts';

const WINDOW_MS = 300_000;
/** The partition knows it: it is taken over from there. */
const UNKNOWN = -1;

export interface ReferenceMessage {
  readonly id: number;
  readonly groupId: string | undefined;
  readonly bytes: number;
  sequence: number;
  sentAt: number;
  state: StateName;
  deadline: number;
  receiveCount: number;
  firstReceivedAt: number;
  lastReceivedAt: number;
  source: number;
}

interface ReferenceQueue {
  settings: QueueSettings;
  messages: ReferenceMessage[];
}

interface Deduplication {
  readonly key: string;
  readonly sequence: number;
  readonly endsAt: number;
}

interface Attempt {
  readonly key: string;
  readonly endsAt: number;
  readonly messages: readonly { id: number; sequence: number; delivery: number }[];
}

export class ReferencePartition {
  queues = new Map<number, ReferenceQueue>();
  deduplications: Deduplication[] = [];
  attempts: Attempt[] = [];
  nextSequence = 1;

  clone(): ReferencePartition {
    const copy = new ReferencePartition();
    copy.queues = structuredClone(this.queues);
    copy.deduplications = [...this.deduplications];
    copy.attempts = [...this.attempts];
    copy.nextSequence = this.nextSequence;
    return copy;
  }

  define(settings: QueueSettings): void {
    const messages = this.queues.get(settings.queueId)?.messages ?? [];
    this.queues.set(settings.queueId, { settings, messages });
  }

  queue(queueId: number): ReferenceQueue {
    const queue = this.queues.get(queueId);
    if (queue === undefined) throw new Error(`the reference has no queue ${queueId}`);
    return queue;
  }

  find(queueId: number, id: number): ReferenceMessage | undefined {
    return this.queues.get(queueId)?.messages.find((message) => message.id === id);
  }

  remove(queueId: number, id: number): void {
    const queue = this.queue(queueId);
    queue.messages = queue.messages.filter((message) => message.id !== id);
  }

  /** The sequence under which an equal message was accepted in the last five minutes. */
  duplicateOf(key: string, now: number): number | undefined {
    return this.deduplications.find((entry) => entry.key === key && entry.endsAt > now)?.sequence;
  }

  insert(
    queueId: number,
    message: { id: number; groupId: string | undefined; bytes: number; sequence: number },
    delayMs: number,
    now: number,
  ): void {
    if (message.sequence !== UNKNOWN) this.nextSequence++;
    this.queue(queueId).messages.push({
      ...message,
      sentAt: now,
      state: delayMs > 0 ? 'delayed' : 'ready',
      deadline: delayMs > 0 ? now + delayMs : 0,
      receiveCount: 0,
      firstReceivedAt: 0,
      lastReceivedAt: 0,
      source: 0,
    });
  }

  remember(key: string, sequence: number, now: number): void {
    this.deduplications.push({ key, sequence, endsAt: now + WINDOW_MS });
  }

  deliver(message: ReferenceMessage, now: number, deadline: number): void {
    message.receiveCount++;
    if (message.receiveCount === 1) message.firstReceivedAt = now;
    const sinceFirst = now - message.firstReceivedAt;
    message.lastReceivedAt = message.firstReceivedAt + Math.floor(sinceFirst / 1000) * 1000;
    message.state = 'inFlight';
    message.deadline = deadline;
  }

  isPastRetention({ settings }: ReferenceQueue, message: ReferenceMessage, now: number): boolean {
    return message.sentAt + settings.retentionMs <= now;
  }

  isExhausted({ settings }: ReferenceQueue, message: ReferenceMessage): boolean {
    const { deadLetterQueueId, maxReceiveCount } = settings;
    return this.queues.has(deadLetterQueueId) && message.receiveCount >= maxReceiveCount;
  }

  isFit(queue: ReferenceQueue, message: ReferenceMessage, now: number): boolean {
    return !this.isPastRetention(queue, message, now) && !this.isExhausted(queue, message);
  }

  /** Of a FIFO queue, the messages that could be received now, group by group, in order; of a
   *  standard queue, all that are ready. */
  receivable(queueId: number, now: number): ReferenceMessage[] {
    const queue = this.queue(queueId);
    if (!queue.settings.fifo) {
      return queue.messages.filter((m) => m.state === 'ready' && this.isFit(queue, m, now));
    }
    const found: ReferenceMessage[] = [];
    for (const groupId of new Set(queue.messages.map((message) => message.groupId))) {
      const group = queue.messages
        .filter((message) => message.groupId === groupId)
        .toSorted((a, b) => a.sequence - b.sequence);
      if (group.some(({ state }) => state === 'inFlight' || state === 'held')) continue;
      const end = group.findIndex((m) => m.state !== 'ready' || !this.isFit(queue, m, now));
      found.push(...(end < 0 ? group : group.slice(0, end)));
    }
    return found;
  }

  move(from: number, id: number, to: number, source: number, asNew: boolean, now: number): void {
    const message = this.find(from, id);
    if (message === undefined) throw new Error(`${id} is not in queue ${from}`);
    this.remove(from, id);
    const sentAt = asNew ? now : message.sentAt;
    const { groupId, bytes } = message;
    this.insert(to, { id, groupId, bytes, sequence: UNKNOWN }, 0, sentAt);
    this.find(to, id)!.source = source;
  }

  #deadLetter(queueId: number, id: number, now: number): void {
    const { deadLetterQueueId } = this.queue(queueId).settings;
    const asNew = this.queue(deadLetterQueueId).settings.fifo;
    this.move(queueId, id, deadLetterQueueId, queueId, asNew, now);
  }

  /** What deadlines up to `now` bring. */
  tick(now: number): void {
    for (const [queueId, queue] of this.queues) {
      for (const message of [...queue.messages]) {
        if (message.state === 'ready' || message.deadline > now) continue;
        if (message.state === 'inFlight') {
          if (this.isExhausted(queue, message)) {
            // On a FIFO queue it goes when those before it in its group have gone.
            if (queue.settings.fifo) makeReady(message);
            else this.#deadLetter(queueId, message.id, now);
            continue;
          }
          const until = message.deadline + backoffMs(queue.settings, message.receiveCount);
          if (until > now) {
            message.state = 'held';
            message.deadline = until;
            continue;
          }
        }
        makeReady(message);
      }
    }
  }

  /** Takes up what the partition may have done at its own time, and sequences that it gave. */
  followLazy(actual: ReadonlyMap<number, readonly MessageView[]>, now: number): void {
    for (const [queueId, queue] of this.queues) {
      const present = new Set(actual.get(queueId)?.map(({ id }) => id));
      for (const message of [...queue.messages]) {
        if (message.state !== 'ready' || present.has(message.id)) continue;
        // One that is both goes to the dead-letter queue if it was met there first by a deadline.
        const { deadLetterQueueId } = queue.settings;
        const isDead = actual.get(deadLetterQueueId)?.some(({ id }) => id === message.id) === true;
        if (this.isPastRetention(queue, message, now) && !isDead) this.remove(queueId, message.id);
        else if (this.isExhausted(queue, message)) this.#deadLetter(queueId, message.id, now);
      }
    }
    for (const [queueId, views] of actual) {
      for (const { id, sequence, sentAt } of views) {
        const message = this.find(queueId, id);
        if (message?.sequence !== UNKNOWN) continue;
        message.sequence = sequence;
        // Of several moves in one turn, some may have been on disk before a crash, the others not.
        if (sentAt <= now) message.sentAt = sentAt;
        this.nextSequence++;
      }
    }
  }

  /** The states on the way to `after` that a crash may leave: each dead letter is a record of its
   *  own, and what follows them in one turn is another. */
  towards(after: ReferencePartition): ReferencePartition[] {
    const homes = new Map<number, number>();
    for (const [queueId, { messages }] of this.queues) {
      for (const { id } of messages) homes.set(id, queueId);
    }
    const moved = [...after.queues]
      .flatMap(([to, { messages }]) => messages.map((message) => ({ to, message })))
      .filter(({ to, message }) => (homes.get(message.id) ?? to) !== to)
      .toSorted((a, b) => a.message.sequence - b.message.sequence);
    const states: ReferencePartition[] = [];
    for (const { to, message } of moved) {
      const state = (states.at(-1) ?? this).clone();
      state.remove(homes.get(message.id)!, message.id);
      state.queues.get(to)?.messages.push(structuredClone(message));
      state.nextSequence = message.sequence + 1;
      states.push(state);
    }
    return states;
  }

  /** The first difference between this and the partition's state. */
  difference(
    actual: ReadonlyMap<number, readonly MessageView[]>,
    nextSequence: number,
  ): string | undefined {
    if (nextSequence !== this.nextSequence) {
      return `the next sequence is ${nextSequence} instead of ${this.nextSequence}`;
    }
    const ids = [...this.queues.keys()].toSorted((a, b) => a - b).join();
    const actualIds = [...actual.keys()].toSorted((a, b) => a - b).join();
    if (ids !== actualIds) return `queues ${actualIds} instead of ${ids}`;
    for (const [queueId, { messages }] of this.queues) {
      const views = new Map(actual.get(queueId)!.map((view) => [view.id, view]));
      for (const message of messages) {
        const view = views.get(message.id);
        if (view === undefined) return `queue ${queueId}: message ${message.id} is missing`;
        const what = fieldThatDiffers(message, view);
        if (what !== undefined) return `queue ${queueId}: message ${message.id}: ${what}`;
      }
      if (views.size !== messages.length) {
        const more = [...views.keys()].filter((id) => this.find(queueId, id) === undefined);
        return `queue ${queueId}: messages ${more.join()} should not be there`;
      }
    }
    return undefined;
  }
}

const FIELDS = [
  'sequence',
  'sentAt',
  'state',
  'deadline',
  'receiveCount',
  'firstReceivedAt',
  'lastReceivedAt',
  'source',
  'bytes',
] as const;

function fieldThatDiffers(message: ReferenceMessage, view: MessageView): string | undefined {
  const field = FIELDS.find((name) => message[name] !== view[name]);
  return field && `${field} is ${view[field]} instead of ${message[field]}`;
}

function backoffMs({ retryBackoff }: QueueSettings, receiveCount: number): number {
  if (retryBackoff === undefined) return 0;
  const { baseMs, factor, maxMs } = retryBackoff;
  return Math.floor(Math.min(maxMs, baseMs * factor ** (receiveCount - 1)));
}

/** Under which a FIFO message's deduplication id is remembered. */
export function deduplicationKey(
  { queueId, deduplicationPerGroup }: QueueSettings,
  groupId: string,
  deduplicationId: string,
): string {
  return JSON.stringify([queueId, deduplicationPerGroup ? groupId : null, deduplicationId]);
}

/** Under which a receive attempt is remembered. */
export function rememberAttempt(
  reference: ReferencePartition,
  queueId: number,
  attempt: number,
  messages: readonly ReferenceMessage[],
  now: number,
): void {
  const key = `${queueId}/${attempt}`;
  reference.attempts = reference.attempts.filter((other) => other.key !== key);
  const given = messages.map(({ id, sequence, receiveCount }) => ({
    id,
    sequence,
    delivery: receiveCount,
  }));
  reference.attempts.push({ key, endsAt: now + WINDOW_MS, messages: given });
}

/** The messages that a repeated attempt is given again: all of them are still held by it. */
export function repeatedAttempt(
  reference: ReferencePartition,
  queueId: number,
  attempt: number,
  now: number,
): ReferenceMessage[] | undefined {
  const found = reference.attempts.find(({ key }) => key === `${queueId}/${attempt}`);
  if (found === undefined || found.endsAt <= now) return undefined;
  const messages: ReferenceMessage[] = [];
  for (const { id, sequence, delivery } of found.messages) {
    const message = reference.find(queueId, id);
    const held =
      message !== undefined &&
      message.sequence === sequence &&
      message.state === 'inFlight' &&
      message.receiveCount === delivery;
    if (!held) return undefined;
    messages.push(message);
  }
  return messages;
}

function makeReady(message: ReferenceMessage): void {
  message.state = 'ready';
  message.deadline = 0;
}
