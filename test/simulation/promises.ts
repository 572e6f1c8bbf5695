/* Holds what the clients of doors saw against the promises. It knows calls, when they began and
 * ended, and what was done to disks and threads; nothing of partitions and rings. What it cannot
 * be sure of, it allows.
 *
 * A message is known by the number in its body. */

import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import { Violation } from './violation.ts';

const DEDUPLICATION_WINDOW_MS = 300_000;
const NEVER = Number.POSITIVE_INFINITY;

/** A call under way. */
export interface Call {
  readonly queue: QueueDefinition;
  readonly step: number;
  readonly now: number;
}

export interface ReceiveCall extends Call {
  readonly timeoutMs: number;
  readonly attemptId: string | undefined;
}

export interface SeenDelivery {
  readonly id: number;
  readonly messageId: string;
  readonly sequence: number;
  readonly count: number;
}

/** One message in a change of visibility: which, and by the receipt of which delivery. */
export interface Changed {
  readonly id: number;
  readonly count: number;
}

interface Message {
  readonly id: number;
  readonly groupId: string | undefined;
  readonly key: string | undefined;
  readonly asked: Call;
  queueId: number;
  state: 'unknown' | 'accepted' | 'refused';
  acceptedAtStep: number;
  repliedAt: number;
  messageId: string | undefined;
  /** Its latest in the queue that it is in. */
  sequence: number;
  /** The largest that was seen in that queue. */
  count: number;
  attemptId: string | undefined;
  /** Nobody else gets it before. */
  heldUntil: number;
  /** Of its latest delivery, that may yet bring its deadline forward. */
  changes: number;
  mayBeGone: boolean;
  mayHaveMoved: boolean;
  /** By sequence: a receipt says nothing of another residence. */
  readonly deletedAtStep: Map<number, number>;
  purgedAtStep: number;
  powerCuts: number;
  drained: boolean;
}

export interface Rules {
  /** The most and the least that it was ever defined with. */
  readonly maxReceiveCount: { readonly most: number; readonly least: number };
  readonly deadLetterQueueId: number;
  readonly visibilityTimeoutMsMin: number;
  /** Messages come to it by sends only. */
  readonly sendsOnly: boolean;
}

export class Promises {
  readonly messages = new Map<number, Message>();
  readonly #rules: (queueId: number) => Rules;
  /** Receives that may have got messages which nobody saw. */
  readonly #unseen = new Map<number, number>();
  /** Moves that may yet be done. */
  #moves = 0;
  /** Purges, moves and deletions of queues that may yet come. */
  readonly #sweeps = new Map<Call, 'purge' | 'move'>();
  readonly #delivered = new Set<string>();
  /** Calls of each attempt that may be under way. */
  readonly #attempts = new Map<string, number>();
  #powerCuts = 0;
  /** When the call was made. */
  readonly #cutsBefore = new WeakMap<ReceiveCall, number>();
  draining = false;

  constructor(rules: (queueId: number) => Rules) {
    this.#rules = rules;
  }

  // Sending.

  sendAsked(call: Call, id: number, groupId?: string, deduplicationId?: string): void {
    const { fifo, deduplicationScope } = call.queue.attributes;
    const { queueId } = call.queue;
    const scope = deduplicationScope === 'messageGroup' ? `${queueId}/${groupId}` : `${queueId}`;
    const keyed = fifo && deduplicationId !== undefined;
    const sweeps = [...this.#sweeps].filter(([sweep]) => sweep.queue.queueId === queueId);
    this.messages.set(id, {
      id,
      groupId,
      key: keyed ? `${scope}/${deduplicationId}` : undefined,
      asked: call,
      queueId,
      state: 'unknown',
      acceptedAtStep: NEVER,
      repliedAt: call.now,
      messageId: undefined,
      sequence: 0,
      count: 0,
      attemptId: undefined,
      heldUntil: 0,
      changes: 0,
      mayBeGone: sweeps.some(([, kind]) => kind === 'purge'),
      mayHaveMoved: this.#moves > 0,
      deletedAtStep: new Map(),
      purgedAtStep: NEVER,
      powerCuts: this.#powerCuts,
      drained: false,
    });
  }

  refused(id: number): void {
    const message = this.messages.get(id)!;
    this.#expect(message.messageId === undefined, `${id} was refused, and delivered`);
    message.state = 'refused';
  }

  accepted(id: number, messageId: string, sequence: number, step: number, now: number): void {
    const message = this.messages.get(id)!;
    message.state = 'accepted';
    message.acceptedAtStep = step;
    message.repliedAt = now;
    if (message.messageId === undefined) message.sequence = sequence;
    message.messageId ??= messageId;
    if (message.key === undefined) return;
    for (const other of this.messages.values()) {
      if (other === message || other.key !== message.key || other.state !== 'accepted') continue;
      const from = Math.min(this.#storedFrom(message), this.#storedFrom(other));
      const apart = Math.max(now, other.repliedAt) - from;
      this.#expect(
        other.messageId === message.messageId || apart >= DEDUPLICATION_WINDOW_MS,
        `${id} and ${other.id} have one deduplication id, and were both stored`,
      );
    }
  }

  /** The earliest that what is called a message of this id can have been stored. */
  #storedFrom({ key, messageId, asked }: Message): number {
    let from = asked.now;
    for (const other of this.messages.values()) {
      if (other.key !== key) continue;
      const first = other.messageId === undefined || other.messageId === messageId;
      if (first) from = Math.min(from, other.asked.now);
    }
    return from;
  }

  // Receiving.

  receiveAsked(call: ReceiveCall): void {
    const { queue, timeoutMs, attemptId, now } = call;
    this.#cutsBefore.set(call, this.#powerCuts);
    this.#countUnseen(queue.queueId, 1);
    if (attemptId === undefined) return;
    this.#countAttempt(attemptId, 1);
    for (const message of this.#in(queue.queueId)) {
      // A repeated attempt sets the deadline anew, also when nobody sees its reply.
      if (message.attemptId !== attemptId) continue;
      message.heldUntil = Math.min(message.heldUntil, now + this.#timeout(queue, timeoutMs));
      message.changes++;
    }
  }

  /** @param unseen it may have got more than it gave: it was cancelled, say. */
  receiveEnded(call: ReceiveCall, unseen: boolean): void {
    if (unseen) return;
    this.#countUnseen(call.queue.queueId, -1);
    if (call.attemptId !== undefined) this.#countAttempt(call.attemptId, -1);
  }

  #countAttempt(attemptId: string, by: number): void {
    this.#attempts.set(attemptId, (this.#attempts.get(attemptId) ?? 0) + by);
  }

  /** A partition, or a door, has died: each of the calls may have lost a reply. */
  receivesHurt(calls: readonly ReceiveCall[]): void {
    for (const { queue } of calls) this.#countUnseen(queue.queueId, 1);
  }

  #countUnseen(queueId: number, by: number): void {
    this.#unseen.set(queueId, (this.#unseen.get(queueId) ?? 0) + by);
  }

  #timeout({ queueId }: QueueDefinition, timeoutMs: number): number {
    return timeoutMs < 0 ? this.#rules(queueId).visibilityTimeoutMsMin : timeoutMs;
  }

  received(call: ReceiveCall, deliveries: readonly SeenDelivery[], now: number): void {
    const batch = new Set<number>();
    for (const delivery of deliveries) {
      this.#deliver(call, delivery, now, batch);
      batch.add(delivery.id);
    }
  }

  #deliver(
    call: ReceiveCall,
    delivery: SeenDelivery,
    now: number,
    batch: ReadonlySet<number>,
  ): void {
    const { queueId, attributes } = call.queue;
    const { id, count, sequence } = delivery;
    const message = this.messages.get(id);
    this.#expect(message !== undefined, `${id} was delivered, and never sent`);
    this.#expect(!batch.has(id), `${id} was delivered twice at once`);
    this.#mayBeDelivered(message, call, delivery);
    if (this.draining) message.drained = true;
    const cut = this.#powerCuts > message.powerCuts;
    // A reply that was overtaken, of what the message was before it was moved; perhaps also by a
    // power cut, which a door hears nothing of.
    const isFresh = this.#cutsBefore.get(call) === this.#powerCuts;
    if (sequence < message.sequence && !(cut && isFresh)) return;
    if (message.queueId !== queueId) this.#moved(message, queueId);
    else if (message.count > 0 && sequence !== message.sequence) this.#movedBack(message);
    const { deadLetterQueueId, maxReceiveCount } = this.#rules(queueId);
    this.#expect(
      deadLetterQueueId === 0 || count <= maxReceiveCount.most,
      `${id} was received ${count} times of ${maxReceiveCount.most}`,
    );
    this.#hold(message, call, count, !attributes.fifo && cut, now);
    message.sequence = sequence;
    if (attributes.fifo && this.#rules(queueId).sendsOnly) this.#checkOrder(message, batch);
  }

  #mayBeDelivered(message: Message, call: Call, { messageId, sequence }: SeenDelivery): void {
    const { id, state } = message;
    this.#expect(state !== 'refused', `${id} was refused, and delivered`);
    message.messageId ??= messageId;
    this.#expect(message.messageId === messageId, `${id} is a duplicate, and was delivered`);
    this.#delivered.add(messageId);
    const deletedAtStep = message.deletedAtStep.get(sequence) ?? NEVER;
    this.#expect(call.step < deletedAtStep, `${id} was deleted, and delivered again`);
    this.#expect(call.step < message.purgedAtStep, `${id} was purged, and delivered`);
    const { retentionMs } = call.queue.attributes;
    const kept = call.now <= message.repliedAt + retentionMs || message.state !== 'accepted';
    this.#expect(kept, `${id} was delivered after its retention`);
  }

  /** Nobody else has it; from now on, this client does. */
  #hold(message: Message, call: ReceiveCall, count: number, lossy: boolean, now: number): void {
    const { id } = message;
    const until = call.now + this.#timeout(call.queue, call.timeoutMs);
    if (count > message.count || lossy) {
      const most = message.count + 1 + (this.#unseen.get(call.queue.queueId) ?? 0);
      this.#expect(count <= most, `${id} says it was received ${count} times, not ${most}`);
      this.#expect(
        lossy || now >= message.heldUntil,
        `${id} was delivered while another held it, for ${message.heldUntil - now} ms more`,
      );
      // Another call of the attempt may have got it as well, for a shorter time.
      const shared = (this.#attempts.get(call.attemptId ?? '') ?? 0) > 1;
      message.heldUntil = shared ? 0 : until;
      message.changes = shared ? NEVER : 0;
      message.count = count;
      message.attemptId = call.attemptId;
      // Its reply may have come before a cut that has been since.
      message.powerCuts = this.#cutsBefore.get(call)!;
    } else if (count === message.count) {
      const repeated = call.attemptId !== undefined && call.attemptId === message.attemptId;
      this.#expect(repeated, `${id} was delivered twice as number ${count}`);
      message.heldUntil = Math.min(message.heldUntil, until);
    }
  }

  #moved(message: Message, queueId: number): void {
    const { id, mayHaveMoved } = message;
    const from = this.#rules(message.queueId);
    const exhausted =
      message.count + (this.#unseen.get(message.queueId) ?? 0) >= from.maxReceiveCount.least;
    const lossy = this.#powerCuts > 0;
    if (from.deadLetterQueueId === queueId) {
      this.#expect(
        mayHaveMoved || lossy || exhausted,
        `${id} is a dead letter after ${message.count} receives of ${from.maxReceiveCount.least}`,
      );
    } else {
      this.#expect(mayHaveMoved, `${id} was moved by nobody`);
    }
    message.queueId = queueId;
    message.count = 0;
    message.heldUntil = 0;
  }

  #movedBack(message: Message): void {
    const { id, mayHaveMoved } = message;
    this.#expect(mayHaveMoved, `${id} has another sequence, and was not moved`);
    message.count = 0;
    message.heldUntil = 0;
  }

  #checkOrder(message: Message, batch: ReadonlySet<number>): void {
    const unseen = this.#unseen.get(message.queueId) ?? 0;
    const { deadLetterQueueId, maxReceiveCount } = this.#rules(message.queueId);
    for (const other of this.messages.values()) {
      const before =
        other.queueId === message.queueId &&
        other.groupId === message.groupId &&
        other.state === 'accepted' &&
        other.sequence < message.sequence &&
        !batch.has(other.id);
      if (!before || other.mayBeGone || !this.#isStored(other)) continue;
      const exhausted = deadLetterQueueId !== 0 && other.count + unseen >= maxReceiveCount.least;
      this.#expect(exhausted, `${message.id} overtook ${other.id} of its group`);
    }
  }

  /** False: it may be a duplicate, of which nothing was stored. */
  #isStored({ id, key, count }: Message): boolean {
    if (key === undefined || count > 0) return true;
    return ![...this.messages.values()].some((other) => other.key === key && other.id !== id);
  }

  // Deleting and changing.

  deleteAsked(ids: readonly number[]): void {
    for (const id of ids) this.messages.get(id)!.mayBeGone = true;
  }

  deleted(queueId: number, id: number, sequence: number, step: number): void {
    const message = this.messages.get(id)!;
    if (message.queueId !== queueId) return;
    const earlier = message.deletedAtStep.get(sequence) ?? step;
    message.deletedAtStep.set(sequence, Math.min(earlier, step));
  }

  changeAsked(changed: readonly Changed[], timeoutMs: number, now: number): void {
    for (const message of this.#current(changed)) {
      message.heldUntil = Math.min(message.heldUntil, now + timeoutMs);
      message.changes++;
    }
  }

  /** @param certain false: it may have been changed or not. */
  changeEnded(
    changed: readonly Changed[],
    certain: (i: number) => boolean,
    timeoutMs: number,
    askedAt: number,
  ): void {
    changed.forEach((each, i) => {
      const [message] = this.#current([each]);
      // Another change under way may come after this one, whatever the order of their replies.
      if (message === undefined || --message.changes > 0) return;
      if (certain(i)) message.heldUntil = askedAt + timeoutMs;
    });
  }

  #current(changed: readonly Changed[]): Message[] {
    return changed.flatMap(({ id, count }) => {
      const message = this.messages.get(id)!;
      return message.count === count ? [message] : [];
    });
  }

  // Sweeping.

  purgeAsked(call: Call): void {
    this.#sweeps.set(call, 'purge');
    for (const message of this.#in(call.queue.queueId)) message.mayBeGone = true;
  }

  purged(call: Call, step: number): void {
    this.#sweeps.delete(call);
    const { queueId } = call.queue;
    if (!this.#rules(queueId).sendsOnly || this.#rules(queueId).deadLetterQueueId !== 0) return;
    for (const message of this.#in(queueId)) {
      if (message.acceptedAtStep < call.step) {
        message.purgedAtStep = Math.min(message.purgedAtStep, step);
      }
    }
  }

  /** Messages of a dead-letter queue may be anywhere between it and its sources from now on; also
   *  those that come before the move has ended. */
  moveAsked({ queue }: Call): void {
    this.#moves++;
    for (const message of this.#in(queue.queueId)) message.mayHaveMoved = true;
  }

  /** It is answered. One that failed may yet be done. */
  moveAnswered(): void {
    this.#moves--;
  }

  #in(queueId: number): Message[] {
    return [...this.messages.values()].filter(
      (message) =>
        message.queueId === queueId ||
        message.mayHaveMoved ||
        this.#rules(message.queueId).deadLetterQueueId === queueId,
    );
  }

  // The world.

  powerCut(): void {
    this.#powerCuts++;
  }

  /** Once every queue is empty: whatever had to come has come. */
  checkAllDelivered(now: number, retentionOf: (queueId: number) => number): void {
    const gone = new Set<string>();
    for (const { key, mayBeGone } of this.messages.values()) {
      if (mayBeGone && key !== undefined) gone.add(key);
    }
    for (const {
      id,
      key,
      state,
      mayBeGone,
      drained,
      messageId,
      asked,
      queueId,
    } of this.messages.values()) {
      if (state !== 'accepted' || mayBeGone || drained) continue;
      const expired = asked.now + retentionOf(queueId) <= now;
      const duplicate = key !== undefined && (this.#delivered.has(messageId!) || gone.has(key));
      this.#expect(expired || duplicate, `${id} was accepted, and is lost`);
    }
  }

  #expect(condition: boolean, what: string): asserts condition {
    if (!condition) throw new Violation(what);
  }
}
