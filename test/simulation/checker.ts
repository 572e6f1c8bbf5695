/* Holds what clients saw against the promises. It knows requests and replies, and what was done to
 * the disks, and nothing of the partitions. Where a reply was lost, both outcomes are allowed. */

import type { QueueSettings } from '../../src/command/queue-definition.ts';
import { enter, type Limit, type Resident, reenter, requireTurn } from './residence.ts';
import { insist } from './violation.ts';
import type { Delivery, Receipt, Reply, Request, SentMessage } from './wire.ts';

const DEDUPLICATION_WINDOW_MS = 300_000;

/** A request under way. */
export interface Asked {
  readonly request: Request;
  readonly partition: number;
  readonly step: number;
  readonly now: number;
}

interface Message extends Resident {
  readonly partition: number;
  readonly groupId: string | undefined;
  readonly deduplicationKey: string | undefined;
  readonly askedAt: number;
  send: 'unknown' | 'accepted' | 'duplicate' | 'refused';
  /** In the queue that it is in, as far as is known. */
  sequence: number;
  /** By the sequence that it had then: a receipt says nothing about another queue. */
  readonly deletedAtStep: Map<number, number>;
  purgedAtStep: number;
  powerCuts: number;
  drained: boolean;
  acceptedAtStep: number;
  repliedAt: number;
}

export class Checker {
  readonly #queues: ReadonlyMap<number, QueueSettings>;
  readonly messages = new Map<number, Message>();
  /** Receives asked of a queue whose replies were never seen. */
  readonly #unseen = new Map<number, number>();
  readonly #powerCuts: number[] = [];
  /** Purges and moves under way: they may come before or after what is sent meanwhile. */
  readonly #sweeping = new Set<Asked>();
  /** Of visibility changes under way: sequences whose receipts were known to be of an earlier
   *  delivery than the latest. */
  readonly #stale = new WeakMap<Asked, ReadonlySet<number>>();
  /** Visibility changes under way. */
  readonly #changing = new Set<Asked>();
  draining = false;

  constructor(queues: ReadonlyMap<number, QueueSettings>) {
    this.#queues = queues;
  }

  asked(asked: Asked): void {
    const { request, partition, now } = asked;
    if (request.op === 'purge' || request.op === 'move') this.#sweeping.add(asked);
    if (request.op === 'send') {
      for (const message of request.messages)
        this.#sendAsked(request.queueId, partition, message, now);
    } else if (request.op === 'receive') {
      this.#countUnseen(request.queueId, 1);
    } else if (request.op === 'delete') {
      for (const message of this.#named(request, partition)) message.mayBeGone = true;
    } else if (request.op === 'change') {
      this.#changing.add(asked);
      this.#stale.set(asked, this.#staleSequences(request.receipts, partition));
      for (const message of this.#named(request, partition)) {
        message.heldUntil = Math.min(message.heldUntil, now + request.timeoutMs);
      }
    } else if (request.op === 'purge') {
      for (const message of this.#in(request.queueId, partition)) message.mayBeGone = true;
    } else {
      for (const message of this.#in(request.queueId, partition)) message.mayHaveMoved = true;
    }
  }

  #staleSequences(receipts: readonly Receipt[], partition: number): Set<number> {
    const stale = receipts.filter(({ sequence, delivery }) =>
      [...this.messages.values()].some(
        (message) =>
          message.partition === partition &&
          message.sequence === sequence &&
          message.count > delivery,
      ),
    );
    return new Set(stale.map(({ sequence }) => sequence));
  }

  #countUnseen(queueId: number, by: number): void {
    this.#unseen.set(queueId, (this.#unseen.get(queueId) ?? 0) + by);
  }

  #sendAsked(queueId: number, partition: number, sent: SentMessage, now: number): void {
    const { fifo } = this.#queues.get(queueId)!;
    const { id, groupId, deduplicationId } = sent;
    const swept = [...this.#sweeping].filter((asked) => asked.partition === partition);
    this.messages.set(id, {
      id,
      partition,
      groupId,
      deduplicationKey:
        fifo && deduplicationId !== undefined
          ? `${partition}/${queueId}/${deduplicationId}`
          : undefined,
      askedAt: now,
      queueId,
      send: 'unknown',
      sequence: 0,
      mayBeGone: swept.some(({ request }) => request.op === 'purge'),
      mayHaveMoved: swept.some(({ request }) => request.op === 'move'),
      deletedAtStep: new Map(),
      purgedAtStep: Number.POSITIVE_INFINITY,
      count: 0,
      heldUntil: 0,
      powerCuts: 0,
      drained: false,
      acceptedAtStep: Number.POSITIVE_INFINITY,
      repliedAt: now,
    });
  }

  #in(queueId: number, partition: number): Message[] {
    return [...this.messages.values()].filter(
      (message) => message.partition === partition && this.#mayBeIn(message, queueId),
    );
  }

  #mayBeIn(message: Message, queueId: number): boolean {
    if (message.queueId === queueId) return true;
    // A deadline may have moved it, or a redrive, and nobody has seen it there yet.
    return this.#queues.get(message.queueId)?.deadLetterQueueId === queueId || message.mayHaveMoved;
  }

  /** The messages that receipts are of: by sequence, which is of one residence in one queue. */
  #named(request: { queueId: number; receipts: readonly Receipt[] }, partition: number): Message[] {
    return request.receipts.flatMap(({ sequence }) => {
      for (const message of this.messages.values()) {
        if (message.partition === partition && message.sequence === sequence) return [message];
      }
      return [];
    });
  }

  replied(asked: Asked, reply: Reply, step: number, now: number): void {
    const { request } = asked;
    this.#sweeping.delete(asked);
    this.#changing.delete(asked);
    if (request.op === 'send') this.#sent(request.messages, reply, step, now);
    else if (request.op === 'receive') this.#received(asked, reply, now);
    else if (request.op === 'delete') this.#deleted(asked, reply, step);
    else if (request.op === 'change') this.#changed(asked, reply);
    else if (request.op === 'purge' && reply.error === undefined) {
      for (const message of this.#in(request.queueId, asked.partition)) {
        if (message.send !== 'accepted' || message.askedAt > asked.now) continue;
        if (message.queueId === request.queueId && !this.#redriven(request.queueId)) {
          message.purgedAtStep = Math.min(
            message.purgedAtStep,
            this.#purgeCounts(message, asked, step),
          );
        }
      }
    }
  }

  /** A queue that messages come to otherwise than by sends. */
  #redriven(queueId: number): boolean {
    const { deadLetterQueueId } = this.#queues.get(queueId)!;
    if (deadLetterQueueId !== 0) return true;
    return [...this.#queues.values()].some((queue) => queue.deadLetterQueueId === queueId);
  }

  #purgeCounts(message: Message, asked: Asked, step: number): number {
    return message.acceptedAtStep < asked.step ? step : Number.POSITIVE_INFINITY;
  }

  #sent(messages: readonly SentMessage[], reply: Reply, step: number, now: number): void {
    messages.forEach(({ id }, i) => {
      const message = this.messages.get(id)!;
      const outcome = reply.outcomes[i];
      if (outcome === undefined || outcome.error !== undefined) {
        insist(message.count === 0, `${id} was refused, and delivered`);
        message.send = 'refused';
        return;
      }
      if (outcome.duplicate) this.#duplicate(message, outcome.sequence);
      else {
        message.acceptedAtStep = step;
        this.#accepted(message, outcome.sequence, now);
      }
    });
  }

  #duplicate(message: Message, sequence: number): void {
    message.send = 'duplicate';
    insist(message.count === 0, `${message.id} is a duplicate, and was delivered`);
    const first = [...this.messages.values()].find(
      (other) =>
        other !== message &&
        other.deduplicationKey === message.deduplicationKey &&
        other.send !== 'refused' &&
        other.send !== 'duplicate',
    );
    insist(first !== undefined, `${message.id} is called a duplicate of ${sequence}`);
  }

  #accepted(message: Message, sequence: number, now: number): void {
    message.send = 'accepted';
    if (message.sequence === 0) message.sequence = sequence;
    if (message.deduplicationKey === undefined) return;
    for (const other of this.messages.values()) {
      if (other === message || other.send !== 'accepted') continue;
      if (other.deduplicationKey !== message.deduplicationKey) continue;
      const apart = Math.max(now, other.repliedAt) - Math.min(message.askedAt, other.askedAt);
      insist(
        apart >= DEDUPLICATION_WINDOW_MS,
        `${message.id} and ${other.id} have one deduplication id, and were both accepted`,
      );
    }
    message.repliedAt = now;
  }

  #received(asked: Asked, reply: Reply, now: number): void {
    this.#countUnseen(asked.request.queueId, -1);
    const batch = new Set<number>();
    for (const delivery of reply.deliveries) {
      this.#delivered(asked, delivery, now, batch);
      batch.add(delivery.id);
    }
  }

  #delivered(asked: Asked, delivery: Delivery, now: number, batch: ReadonlySet<number>): void {
    const { queueId } = asked.request;
    const { id, count, sequence } = delivery;
    const settings = this.#queues.get(queueId)!;
    const message = this.messages.get(id);
    insist(message !== undefined, `${id} was delivered, and never sent`);
    const { send } = message;
    insist(send !== 'refused' && send !== 'duplicate', `${id} is ${send}, and was delivered`);
    const deletedAtStep = message.deletedAtStep.get(sequence) ?? Number.POSITIVE_INFINITY;
    insist(asked.step < deletedAtStep, `${id} was deleted, and delivered again`);
    insist(asked.step < message.purgedAtStep, `${id} was purged, and delivered`);
    insist(!batch.has(id), `${id} was delivered twice at once`);
    if (this.draining) message.drained = true;
    const cut = (this.#powerCuts[message.partition] ?? 0) > message.powerCuts;
    // A reply that was overtaken, of what the message was before it was moved.
    if (sequence < message.sequence && !cut) return;
    if (message.queueId !== queueId) this.#moved(message, delivery, queueId);
    else if (message.count > 0 && sequence !== message.sequence) reenter(message, true);
    const unseen = this.#unseen.get(queueId) ?? 0;
    const { maxReceiveCount, deadLetterQueueId, fifo } = settings;
    insist(
      deadLetterQueueId === 0 || count <= maxReceiveCount,
      `${id} was received ${count} times of ${maxReceiveCount}`,
    );
    const lossy = !fifo && cut;
    if (count > message.count || lossy) {
      const most = message.count + 1 + unseen;
      insist(count <= most, `${id} says it was received ${count} times, not ${most}`);
      insist(
        lossy || now >= message.heldUntil,
        `${id} was delivered while another held it, for ${message.heldUntil - now} ms more`,
      );
      const { timeoutMs } = asked.request as { timeoutMs: number };
      message.heldUntil = asked.now + (timeoutMs < 0 ? settings.visibilityTimeoutMs : timeoutMs);
      message.count = count;
      message.powerCuts = this.#powerCuts[message.partition] ?? 0;
    } else {
      // A reply that was overtaken by a later one; two of one number are one too many.
      insist(count < message.count, `${id} was delivered twice as number ${count}`);
    }
    message.sequence = sequence;
    if (fifo && !this.#redrivenFifo(queueId)) this.#checkOrder(message, queueId, batch);
  }

  /** Order is promised for what was sent; dead letters of one deadline come in any order. */
  #redrivenFifo(queueId: number): boolean {
    return [...this.#queues.values()].some((queue) => queue.deadLetterQueueId === queueId);
  }

  #moved(message: Message, delivery: Delivery, queueId: number): void {
    const from = this.#queues.get(message.queueId)!;
    const { id, mayHaveMoved } = message;
    insist(
      from.deadLetterQueueId !== queueId || delivery.source === message.queueId || mayHaveMoved,
      `${id}: its source`,
    );
    const lossy = !from.fifo && (this.#powerCuts[message.partition] ?? 0) > 0;
    enter(message, queueId, limitOf(from), this.#unseen.get(message.queueId) ?? 0, lossy);
  }

  #checkOrder(message: Message, queueId: number, batch: ReadonlySet<number>): void {
    const before = [...this.messages.values()].filter(
      (other) =>
        other.queueId === queueId &&
        other.partition === message.partition &&
        other.groupId === message.groupId &&
        other.send === 'accepted' &&
        other.sequence < message.sequence &&
        !other.mayHaveMoved,
    );
    const limit = limitOf(this.#queues.get(queueId)!);
    requireTurn(message, before, batch, limit, this.#unseen.get(queueId) ?? 0);
  }

  #deleted(asked: Asked, reply: Reply, step: number): void {
    const request = asked.request as Extract<Request, { op: 'delete' }>;
    request.receipts.forEach((receipt, i) => {
      if (reply.results[i] !== undefined) return;
      const [message] = this.#named({ ...request, receipts: [receipt] }, asked.partition);
      if (message === undefined || message.queueId !== request.queueId) return;
      const earlier = message.deletedAtStep.get(receipt.sequence) ?? step;
      message.deletedAtStep.set(receipt.sequence, Math.min(earlier, step));
    });
  }

  /** A receipt of an earlier delivery is good for nothing that needs the message to be held. */
  #changed(asked: Asked, reply: Reply): void {
    const request = asked.request as Extract<Request, { op: 'change' }>;
    request.receipts.forEach((receipt, i) => {
      if (reply.results[i] !== undefined) return;
      const [message] = this.#named({ ...request, receipts: [receipt] }, asked.partition);
      if (message === undefined) return;
      const cut = (this.#powerCuts[message.partition] ?? 0) > message.powerCuts;
      const stale = !cut && this.#stale.get(asked)?.has(receipt.sequence) === true;
      const alone =
        request.receipts.filter((each) => each.sequence === receipt.sequence).length === 1;
      insist(!stale || !alone, `${message.id}: an old receipt changed a later delivery`);
      if (receipt.delivery !== message.count) return;
      const until = asked.now + request.timeoutMs;
      // Another one may have come after this one already, or may yet be refused.
      const isChanging = this.#isChanging(receipt, asked.partition);
      message.heldUntil = isChanging ? Math.min(message.heldUntil, until) : until;
    });
  }

  #isChanging({ sequence }: Receipt, partition: number): boolean {
    return [...this.#changing].some(
      ({ request, partition: of }) =>
        of === partition &&
        request.op === 'change' &&
        request.receipts.some((each) => each.sequence === sequence),
    );
  }

  /** Replies of these will not come. */
  lost(asked: readonly Asked[]): void {
    for (const each of asked) {
      const { request, partition } = each;
      this.#sweeping.delete(each);
      this.#changing.delete(each);
      if (request.op === 'change') {
        for (const message of this.#named(request, partition)) message.heldUntil = 0;
      }
    }
  }

  powerCut(partition: number): void {
    this.#powerCuts[partition] = (this.#powerCuts[partition] ?? 0) + 1;
  }

  /** Once every queue is empty: whatever had to come has come. */
  checkAllDelivered(): void {
    for (const { id, send, mayBeGone, drained } of this.messages.values()) {
      insist(drained || mayBeGone || send !== 'accepted', `${id} was accepted, and is lost`);
    }
  }
}

function limitOf({ deadLetterQueueId, maxReceiveCount }: QueueSettings): Limit {
  return { deadLetterQueueId, receiveCountMin: maxReceiveCount };
}
