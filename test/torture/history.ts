/* Holds what clients saw against what was promised to them. Pure.
 *
 * All it knows of a call is when it began and when it ended; what happened in the server happened
 * in between. It reports only what no moment in between explains. */

import type { Event } from './ledger.ts';

export interface Promises {
  /** Everything was drained at the end: what was acknowledged must have been received. */
  readonly drained: boolean;
  /** The queue is a FIFO queue, or was used as one. */
  readonly fifo: boolean;
  /** No two hold one message, or one group, at once. Not promised of standard queues across a power
   *  cut, and of nothing whose clock jumped. */
  readonly exclusive: boolean;
}

export interface Verdict {
  /** Sentences; empty when every promise was kept. */
  readonly violations: readonly string[];
  readonly sent: number;
  readonly received: number;
  readonly deleted: number;
  /** Deliveries beyond the first of a message. */
  readonly redelivered: number;
}

type Received = Extract<Event, { kind: 'received' }>;
type Sent = Extract<Event, { kind: 'sent' }>;

interface MessageHistory {
  readonly messageId: string;
  sent: Sent | undefined;
  readonly received: Received[];
  /** When a delete was first asked for, and when one was first acknowledged. */
  deletingAt: number;
  deletedAt: number;
}

/** A partition counts whole milliseconds, and reads its clock once a turn: what came in while a
 *  turn was under way is taken up at the time that the turn began. A turn lasts milliseconds,
 *  unless the machine has something else to do. */
const CLOCK_GRAIN_MS = 100;

/** More than this many sentences say nothing new. */
const VIOLATIONS_MAX = 50;

export function judge(events: readonly Event[], promises: Promises): Verdict {
  const { messages, sending } = byMessage(events);
  const violations: string[] = [];
  for (const message of messages.values()) {
    violations.push(...lostOrReturned(message, promises.drained));
    violations.push(...inventedOrChanged(message, sending));
    if (promises.exclusive) violations.push(...heldTwice(message));
  }
  if (promises.fifo) {
    violations.push(...storedTwice(messages.values()));
    for (const [group, members] of byGroup(messages.values())) {
      violations.push(...outOfOrder(group, members));
      if (promises.exclusive) violations.push(...groupHeldTwice(group, members));
    }
  }
  const all = [...messages.values()];
  const received = all.filter((each) => each.received.length > 0).length;
  return {
    violations: violations.slice(0, VIOLATIONS_MAX),
    sent: all.filter((each) => each.sent !== undefined).length,
    received,
    deleted: all.filter((each) => each.deletedAt < Number.POSITIVE_INFINITY).length,
    redelivered: all.reduce((sum, each) => sum + each.received.length, 0) - received,
  };
}

function byMessage(events: readonly Event[]) {
  const messages = new Map<string, MessageHistory>();
  const sending = new Set<string>();
  const of = (messageId: string): MessageHistory => {
    let history = messages.get(messageId);
    if (history === undefined) {
      const never = Number.POSITIVE_INFINITY;
      history = { messageId, sent: undefined, received: [], deletingAt: never, deletedAt: never };
      messages.set(messageId, history);
    }
    return history;
  };
  for (const event of events) {
    if (event.kind === 'sending') {
      sending.add(event.key);
      continue;
    }
    const history = of(event.messageId);
    if (event.kind === 'sent') history.sent ??= event;
    else if (event.kind === 'received') history.received.push(event);
    else if (event.kind === 'deleting') {
      history.deletingAt = Math.min(history.deletingAt, event.at);
    } else history.deletedAt = Math.min(history.deletedAt, event.to);
  }
  for (const { received } of messages.values()) received.sort((a, b) => a.to - b.to);
  return { messages, sending };
}

function lostOrReturned(message: MessageHistory, drained: boolean): string[] {
  const { messageId, sent, received, deletedAt } = message;
  const violations: string[] = [];
  if (drained && sent !== undefined && received.length === 0) {
    violations.push(`lost: ${sent.key} (${messageId}) was acknowledged and never received`);
  }
  for (const each of received) {
    if (each.from > deletedAt) {
      const late = Math.round(each.from - deletedAt);
      violations.push(`came back: ${each.key} (${messageId}), ${late} ms after its deletion`);
    }
  }
  return violations;
}

function inventedOrChanged({ messageId, sent, received }: MessageHistory, sending: Set<string>) {
  return received
    .filter((each) => !sending.has(each.key) || (sent !== undefined && sent.key !== each.key))
    .map((each) => `invented: ${messageId} says "${each.key}"`);
}

/** The earliest that a message may be visible again. */
function visibleAt({ from, visibilityMs }: Received): number {
  return from + visibilityMs - CLOCK_GRAIN_MS;
}

/** Two deliveries of which neither can have come after the other's visibility had ended. */
function heldTwice({ messageId, received }: MessageHistory): string[] {
  const violations: string[] = [];
  for (let i = 1; i < received.length; i++) {
    const [a, b] = [received[i - 1]!, received[i]!];
    if (b.to < visibleAt(a) && a.to < visibleAt(b)) {
      violations.push(
        `held twice: ${a.key} (${messageId}) by ${a.consumer}, and by ${b.consumer} ` +
          `${Math.round(b.to - a.from)} ms after the first asked for it`,
      );
    }
    if (b.from > a.to && b.receiveCount <= a.receiveCount) {
      violations.push(
        `counted wrong: ${a.key} (${messageId}) has receive count ${b.receiveCount} after ` +
          `${a.receiveCount}`,
      );
    }
  }
  return violations;
}

/** One deduplication id, several messages. */
function storedTwice(messages: Iterable<MessageHistory>): string[] {
  const idOf = new Map<string, string>();
  const violations: string[] = [];
  for (const { messageId, sent, received } of messages) {
    const key = sent?.key ?? received[0]?.key;
    if (key === undefined) continue;
    const other = idOf.get(key);
    if (other === undefined) idOf.set(key, messageId);
    else violations.push(`stored twice: ${key} is ${other} and ${messageId}`);
  }
  return violations;
}

function byGroup(messages: Iterable<MessageHistory>): Map<string, MessageHistory[]> {
  const groups = new Map<string, MessageHistory[]>();
  for (const message of messages) {
    const group = message.received[0]?.group;
    if (group === undefined) continue;
    const members = groups.get(group) ?? [];
    groups.set(group, members);
    members.push(message);
  }
  return groups;
}

/** The order of first successful handling, and that of first delivery, is the order of sending. */
function outOfOrder(group: string, members: readonly MessageHistory[]): string[] {
  const violations: string[] = [];
  const check = (what: string, at: (message: MessageHistory) => number) => {
    const ordered = members
      .filter((each) => at(each) < Number.POSITIVE_INFINITY)
      .toSorted((a, b) => at(a) - at(b) || orderOf(a) - orderOf(b));
    for (let i = 1; i < ordered.length; i++) {
      const [before, after] = [orderOf(ordered[i - 1]!), orderOf(ordered[i]!)];
      if (before > after)
        violations.push(`out of order: ${group} ${what} ${before} before ${after}`);
    }
  };
  check('delivered', (each) => each.received[0]!.to);
  check('handled', (each) => each.deletingAt);
  return violations;
}

function orderOf(message: MessageHistory): number {
  return message.received[0]!.order!;
}

interface Hold {
  readonly consumer: string;
  readonly order: number;
  readonly from: number;
  readonly to: number;
}

/** A consumer surely holds a group from the end of its receive until it asks for the deletion, or
 *  until the visibility has ended that began, at the earliest, with the receive. */
function groupHeldTwice(group: string, members: readonly MessageHistory[]): string[] {
  const holds: Hold[] = members.flatMap(({ received, deletingAt }) =>
    received.map((each) => ({
      consumer: each.consumer,
      order: each.order!,
      from: each.to,
      to: Math.min(deletingAt, visibleAt(each)),
    })),
  );
  holds.sort((a, b) => a.from - b.from);
  const violations: string[] = [];
  let longest: Hold | undefined;
  for (const hold of holds) {
    if (longest !== undefined && hold.from < longest.to && hold.consumer !== longest.consumer) {
      violations.push(
        `group held twice: ${group} by ${longest.consumer} (message ${longest.order}) and by ` +
          `${hold.consumer} (message ${hold.order})`,
      );
    }
    if (longest === undefined || hold.to > longest.to) longest = hold;
  }
  return violations;
}
