/* Holds what the clients of doors saw against the promises. It knows calls, when they began and
 * ended, and what was done to disks and threads; nothing of partitions and rings. What it cannot
 * be sure of, it allows.
 *
 * A message is known by the number in its body. */

import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import { enter, type Limit, type Resident, reenter, requireTurn } from './residence.ts';
import { insist } from './violation.ts';

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

interface Message extends Resident {
  readonly groupId: string | undefined;
  readonly key: string | undefined;
  readonly asked: Call;
  state: 'unknown' | 'accepted' | 'refused';
  acceptedAtStep: number;
  repliedAt: number;
  messageId: string | undefined;
  /** Its first, in the queue that it was sent to; 0: not known. */
  order: number;
  /** Its latest in the queue that it is in. */
  sequence: number;
  /** When it was received last. */
  heardAtStep: number;
  attemptId: string | undefined;
  /** Of its latest delivery, that may yet bring its deadline forward. */
  changes: number;
  /** By queue and sequence: a receipt says nothing of another residence. */
  readonly deletedAtStep: Map<string, number>;
  purgedAtStep: number;
  powerCuts: number;
  drained: boolean;
}

/** Of its receive counts, the most and the least that it was ever defined with. */
export interface Rules extends Limit {
  readonly receiveCountMax: number;
  readonly visibilityTimeoutMsMin: number;
  /** Messages come to it by sends only. */
  readonly sendsOnly: boolean;
  /** What was sent to it is received in the order of its group, also where it is moved to. */
  readonly ordered: boolean;
  /** Its messages are moved there, if anywhere, and do not come back; 0: elsewhere, or nowhere. */
  readonly destinationQueueId: number;
  /** What has left it may be moved back to it. */
  readonly returns: boolean;
}

export class Promises {
  readonly messages = new Map<number, Message>();
  readonly #rules: (queueId: number) => Rules;
  /** Receives that may have got messages which nobody saw. */
  readonly #unseen = new Map<number, number>();
  /** Purges and moves that may yet come. */
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
    const sweeps = [...this.#sweeps].map(([{ queue }, kind]) => ({ of: queue.queueId, kind }));
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
      order: 0,
      sequence: 0,
      heardAtStep: 0,
      count: 0,
      attemptId: undefined,
      heldUntil: 0,
      changes: 0,
      mayBeGone: sweeps.some(({ of, kind }) => kind === 'purge' && of === queueId),
      mayHaveMoved: sweeps.some(
        ({ of, kind }) => kind === 'move' && (of === queueId || this.#areRelated(of, queueId)),
      ),
      deletedAtStep: new Map(),
      purgedAtStep: NEVER,
      powerCuts: this.#powerCuts,
      drained: false,
    });
  }

  refused(id: number): void {
    const message = this.messages.get(id)!;
    insist(message.messageId === undefined, `${id} was refused, and delivered`);
    message.state = 'refused';
  }

  accepted(id: number, messageId: string, sequence: number, step: number, now: number): void {
    const message = this.messages.get(id)!;
    message.state = 'accepted';
    message.acceptedAtStep = step;
    message.repliedAt = now;
    message.order = sequence;
    if (message.messageId === undefined) message.sequence = sequence;
    message.messageId ??= messageId;
    if (message.key === undefined) return;
    for (const other of this.messages.values()) {
      if (other === message || other.key !== message.key || other.state !== 'accepted') continue;
      const from = Math.min(this.#storedFrom(message), this.#storedFrom(other));
      const apart = Math.max(now, other.repliedAt) - from;
      insist(
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

  received(
    call: ReceiveCall,
    deliveries: readonly SeenDelivery[],
    step: number,
    now: number,
  ): void {
    const batch = new Set<number>();
    for (const delivery of deliveries) {
      this.#deliver(call, delivery, step, now, batch);
      batch.add(delivery.id);
    }
  }

  #deliver(
    call: ReceiveCall,
    delivery: SeenDelivery,
    step: number,
    now: number,
    batch: ReadonlySet<number>,
  ): void {
    const { queueId, attributes } = call.queue;
    const { id, count, sequence } = delivery;
    const message = this.messages.get(id);
    insist(message !== undefined, `${id} was delivered, and never sent`);
    insist(!batch.has(id), `${id} was delivered twice at once`);
    this.#mayBeDelivered(message, call, delivery);
    if (this.draining) message.drained = true;
    const cut = this.#powerCuts > message.powerCuts;
    if (this.#isOvertaken(message, call, sequence)) return;
    const { deadLetterQueueId, receiveCountMax, returns } = this.#rules(queueId);
    if (message.queueId !== queueId) this.#moved(message, queueId);
    else if (message.count > 0 && sequence !== message.sequence) reenter(message, returns);
    insist(
      deadLetterQueueId === 0 || count <= receiveCountMax,
      `${id} was received ${count} times of ${receiveCountMax}`,
    );
    this.#hold(message, call, count, !attributes.fifo && cut, now);
    message.sequence = sequence;
    message.heardAtStep = step;
    if (attributes.fifo) this.#checkOrder(message, batch);
  }

  /** A reply of what the message was before it was moved, by a call that was made before that was
   *  heard of. Between two partitions sequences tell nothing, but the way is one. */
  #isOvertaken(message: Message, call: ReceiveCall, sequence: number): boolean {
    const { queueId } = call.queue;
    if (call.step > message.heardAtStep) return false;
    if (this.#rules(queueId).destinationQueueId === message.queueId) return true;
    if (this.#rules(message.queueId).destinationQueueId === queueId) return false;
    return sequence < message.sequence;
  }

  #mayBeDelivered(message: Message, call: Call, { messageId, sequence }: SeenDelivery): void {
    const { id, state } = message;
    insist(state !== 'refused', `${id} was refused, and delivered`);
    message.messageId ??= messageId;
    insist(message.messageId === messageId, `${id} is a duplicate, and was delivered`);
    this.#delivered.add(messageId);
    const deletedAtStep =
      message.deletedAtStep.get(residence(call.queue.queueId, sequence)) ?? NEVER;
    insist(call.step < deletedAtStep, `${id} was deleted, and delivered again`);
    insist(call.step < message.purgedAtStep, `${id} was purged, and delivered`);
    const { retentionMs } = call.queue.attributes;
    const kept = call.now <= message.repliedAt + retentionMs || message.state !== 'accepted';
    insist(kept, `${id} was delivered after its retention`);
  }

  /** Nobody else has it; from now on, this client does. */
  #hold(message: Message, call: ReceiveCall, count: number, lossy: boolean, now: number): void {
    const { id } = message;
    const until = call.now + this.#timeout(call.queue, call.timeoutMs);
    if (count > message.count || lossy) {
      const most = message.count + 1 + (this.#unseen.get(call.queue.queueId) ?? 0);
      insist(count <= most, `${id} says it was received ${count} times, not ${most}`);
      insist(
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
      insist(repeated, `${id} was delivered twice as number ${count}`);
      message.heldUntil = Math.min(message.heldUntil, until);
    }
  }

  #moved(message: Message, queueId: number): void {
    const unseen = this.#unseen.get(message.queueId) ?? 0;
    enter(message, queueId, this.#rules(message.queueId), unseen, this.#powerCuts > 0);
  }

  #checkOrder(message: Message, batch: ReadonlySet<number>): void {
    const { queueId: origin } = message.asked.queue;
    const rules = this.#rules(origin);
    if (!rules.ordered) return;
    const isAtHome = message.queueId === origin;
    // Dead letters of one deadline come in any order.
    if (!isAtHome && message.queueId !== rules.destinationQueueId) return;
    if (isAtHome && message.order === 0) message.order = message.sequence;
    const before = [...this.messages.values()].filter(
      (other) =>
        other.asked.queue.queueId === origin &&
        other.groupId === message.groupId &&
        other.state === 'accepted' &&
        other.order < message.order &&
        // What has been moved on ahead comes before nothing here.
        !(isAtHome && (other.mayHaveMoved || other.queueId !== origin)) &&
        this.#isStored(other),
    );
    requireTurn(message, before, batch, rules, this.#unseen.get(origin) ?? 0);
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
    const key = residence(queueId, sequence);
    message.deletedAtStep.set(key, Math.min(message.deletedAtStep.get(key) ?? step, step));
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
  moveAsked(call: Call): void {
    this.#sweeps.set(call, 'move');
    for (const message of this.#in(call.queue.queueId)) message.mayHaveMoved = true;
  }

  /** It is done, or never will be. */
  moveEnded(call: Call): void {
    this.#sweeps.delete(call);
  }

  #in(queueId: number): Message[] {
    return [...this.messages.values()].filter(
      (message) =>
        message.queueId === queueId ||
        this.#rules(message.queueId).deadLetterQueueId === queueId ||
        (message.mayHaveMoved && this.#areRelated(message.queueId, queueId)),
    );
  }

  /** Messages go from one to the other, by themselves or when they are moved. */
  #areRelated(a: number, b: number): boolean {
    const isWay = (from: number, to: number): boolean => {
      const { deadLetterQueueId, destinationQueueId } = this.#rules(from);
      return to === deadLetterQueueId || to === destinationQueueId;
    };
    return isWay(a, b) || isWay(b, a);
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
      insist(expired || duplicate, `${id} was accepted, and is lost`);
    }
  }
}

function residence(queueId: number, sequence: number): string {
  return `${queueId}/${sequence}`;
}
