/* The actor: one turn drains the mailboxes, decides and applies each command, commits once, and
 * then lets the replies go. Runs on the partition's own thread and shares nothing but rings and
 * the board.
 *
 * Commits are pipelined: a turn that wrote much only begins its commit, and the turns that follow
 * go on with what comes in meanwhile; their records and replies wait for the next commit. A turn
 * that wrote little waits for the disk itself, which is quicker than two wake-ups.
 *
 * Invariants: no reply that speaks of logged state is published before its commit is done; a failed
 * commit throws out of the turn, and the thread ends without publishing anything of it. */

import { assert } from '../base/assert.ts';
import { isDiskFull } from '../base/errors.ts';
import { LOG_COMMIT_BYTES_MAX, TURN_BYTES_MAX } from '../base/limits.ts';
import { type Board, forEachRouter, GAUGES, type Gauge } from '../command/board.ts';
import * as codec from '../command/command-codec.ts';
import { COMMITS_UNDER_WAY_MAX, type Log } from '../log/log.ts';
import type { QueueState } from '../queue/queue-state.ts';
import type { Doorbell } from '../ring/doorbell.ts';
import type { DuplexServerEnd } from '../ring/duplex.ts';
import { INSUFFICIENT } from '../ring/spsc-ring.ts';
import { Cleaner } from './cleaner.ts';
import { handleCommand } from './command-handlers.ts';

/** The way to one router. */
export class RouterLink {
  readonly router: number;
  readonly end: DuplexServerEnd;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  /** Queues whose VISIBLE notice found no room in the reply ring. */
  readonly owedNotices = new Set<number>();
  /** Room that the reply ring lacks for a command's reply; the router rings when it makes some. */
  roomWanted = 0;
  /** The commits under way cover the replies up to here; the oldest first. */
  readonly committingTails: number[] = [];

  constructor(router: number, end: DuplexServerEnd, doorbell: Pick<Doorbell, 'ring'>) {
    this.router = router;
    this.end = end;
    this.doorbell = doorbell;
  }
}

export interface PartitionOptions {
  readonly index: number;
  /** Their number, this one included. */
  readonly partitions: number;
  readonly log: Log;
  readonly state: QueueState;
  readonly board: Board;
  readonly links: readonly RouterLink[];
  /** Lets OP_FAULT through. */
  readonly faults: boolean;
  /** Log bytes from which on a commit is left to go on beside the next turns. */
  readonly pipelinedBytes?: number;
}

/** With less, two wake-ups take longer than what could be done meanwhile. */
const PIPELINED_BYTES_DEFAULT = 16 * 1024;
/** Groups looked at, and messages expired, in one sweep. */
const SWEEP_GROUPS_MAX = 20_000;

export class Partition {
  readonly index: number;
  readonly partitions: number;
  readonly log: Log;
  readonly state: QueueState;
  readonly faults: boolean;
  stopRequested = false;
  readonly #board: Board;
  readonly #links: readonly RouterLink[];
  readonly #linkOf: (RouterLink | undefined)[] = [];
  readonly #cleaner: Cleaner;
  readonly #pipelinedBytes: number;
  // Totals since the start.
  #commits = 0;
  #commitMs = 0;
  #committedBytes = 0;
  /** When the commits under way were begun; the oldest first. */
  readonly #commitsBegan: number[] = [];
  #commitsAtLastBeat = 0;
  /** A mailbox was left with commands in it at the end of the last turn. */
  #moreToDo = false;

  constructor(options: PartitionOptions) {
    const { index, partitions, log, state, board, links, faults } = options;
    this.#pipelinedBytes = options.pipelinedBytes ?? PIPELINED_BYTES_DEFAULT;
    this.index = index;
    this.partitions = partitions;
    this.log = log;
    this.state = state;
    this.#board = board;
    this.#links = links;
    this.faults = faults;
    for (const link of links) this.#linkOf[link.router] = link;
    this.#cleaner = new Cleaner(log, state);
    state.receiving.inFlightElsewhere = (row) => board.inFlight(row) - board.inFlightIn(index, row);
  }

  /** The oldest of the log is being copied to its head, so that its space comes back. */
  get isCleaning(): boolean {
    return this.#cleaner.isCopying;
  }

  /** One turn at time `now`. */
  turn(now: number): void {
    this.#endCommits();
    this.state.tick(now);
    this.#moreToDo = false;
    if (!this.#isFull()) {
      for (const link of this.#links) this.#drain(link, now);
      this.#ifThereIsSpace(() => {
        if (this.#cleaner.step(now)) this.#moreToDo = true;
      });
    }
    this.#publishCounts();
    this.#endCommits();
    if (this.#commitsBegan.length < COMMITS_UNDER_WAY_MAX) this.#commit();
  }

  /** A commit under way has to be done before anything more is taken up. */
  #isFull(): boolean {
    const mayCommit = this.#commitsBegan.length < COMMITS_UNDER_WAY_MAX;
    return !mayCommit && this.log.uncommittedBytes > LOG_COMMIT_BYTES_MAX;
  }

  /** Does what can wait; until there is space, when the disk is full. */
  #ifThereIsSpace(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  /** True when another turn is due at once. */
  hasWork(): boolean {
    const begun = this.#commitsBegan.length;
    if (begun > 0) {
      if (this.log.commitsUnderWay() < begun) return true;
      if (this.#isFull()) return false;
    }
    if (this.#moreToDo) return true;
    for (const link of this.#links) {
      if (link.roomWanted === 0) {
        if (!link.end.requests.empty) return true;
        continue;
      }
      // The wish of an earlier look may have been granted with less room than is needed.
      link.end.replies.requestSpace();
      if (link.end.replies.freeBytes >= link.roomWanted) return true;
    }
    return false;
  }

  /** How long nothing can happen but by a ring of the doorbell, at most `limitMs`. */
  idleMs(now: number, limitMs: number): number {
    const due = Math.min(this.state.nextDeadline(), this.log.idleBy, this.#cleaner.dueAt);
    return Math.max(0, Math.min(limitMs, due - now));
  }

  /** Housekeeping for quiet moments and, at least, for every heartbeat. */
  sweep(now: number): void {
    this.#ifThereIsSpace(() => this.state.sweep(now, SWEEP_GROUPS_MAX));
    this.log.idle(now);
    this.#publishGauges();
  }

  #publishGauges(): void {
    const { index, log, state } = this;
    const gauges: Readonly<Record<Gauge, number>> = {
      sent: state.sending.total,
      received: state.receiving.total,
      deleted: state.receipts.deletedTotal,
      commits: this.#commits,
      commitMicroseconds: this.#commitMs * 1000,
      committedKib: this.#committedBytes / 1024,
      storedMib: log.storedBytes / (1024 * 1024),
      messages: state.table.count,
      spaceLow: Number(log.spaceLow),
      regionsCleaned: this.#cleaner.regionsCleaned,
      relocatedKib: this.#cleaner.relocatedBytes / 1024,
    };
    for (const gauge of GAUGES) this.#board.setGauge(index, gauge, gauges[gauge]);
  }

  #drain(link: RouterLink, now: number): void {
    const { requests, replies } = link.end;
    let budget = TURN_BYTES_MAX;
    link.roomWanted = 0;
    while (requests.next()) {
      const repliesEnd = replies.tail;
      const wanted = handleCommand(this, requests, replies, now);
      if (wanted > 0) {
        requests.unread();
        this.#stall(link, wanted);
        break;
      }
      budget -= requests.length + ((replies.tail - repliesEnd) | 0);
      if (budget <= 0 || this.log.uncommittedBytes > LOG_COMMIT_BYTES_MAX) {
        this.#moreToDo = true;
        break;
      }
    }
    if (requests.release()) link.doorbell.ring();
  }

  /** Asks to be rung when the router has made room in the reply ring. */
  #stall(link: RouterLink, wanted: number): void {
    link.roomWanted = wanted;
    link.end.replies.requestSpace();
  }

  /** Stores the counts of every queue that this turn touched, and tells the routers that wait. */
  #publishCounts(): void {
    const { touched } = this.state.store;
    for (const queue of touched) {
      queue.touched = false;
      if (!queue.defined) continue;
      const { boardRow, ready, visible, inFlight, delayed } = queue;
      const mask = this.#board.publish(this.index, boardRow, ready, visible, inFlight, delayed);
      if (mask !== 0) forEachRouter(mask, (router) => this.#owe(router, queue.queueId));
    }
    touched.length = 0;
    for (const link of this.#links) {
      if (link.owedNotices.size > 0) this.#writeNotices(link);
    }
  }

  #owe(router: number, queueId: number): void {
    this.#linkOf[router]?.owedNotices.add(queueId);
  }

  #writeNotices(link: RouterLink): void {
    const { replies } = link.end;
    for (const queueId of link.owedNotices) {
      const at = replies.claim(codec.REPLY_HEADER_BYTES);
      if (at === INSUFFICIENT) {
        this.#stall(link, codec.REPLY_HEADER_BYTES);
        return;
      }
      codec.writeReplyHeader(replies.view, at, codec.OP_VISIBLE, 0, 0, 0, queueId, 0);
      link.owedNotices.delete(queueId);
    }
  }

  /** Commits what the last turns wrote, and lets their replies go; now, or once the commit that
   *  this begins is done. */
  #commit(): void {
    const { log } = this;
    if (!log.dirty || !this.state.takeSyncNeeded()) {
      if (log.dirty) log.write();
      this.#publishInOrder();
      return;
    }
    const bytes = log.uncommittedBytes;
    this.#committedBytes += bytes;
    const isInline = bytes < this.#pipelinedBytes && this.#commitsBegan.length === 0;
    this.#commitsBegan.push(performance.now());
    for (const link of this.#links) link.committingTails.push(link.end.replies.tail);
    if (isInline) {
      assert(log.commit() === undefined, 'the log of this actor is durable when commit returns');
    } else {
      log.beginCommit();
    }
    this.#endCommits();
  }

  /** Lets the replies go that waited for commits that are done. */
  #endCommits(): void {
    if (this.#commitsBegan.length === 0) return;
    const underWay = this.log.commitsUnderWay();
    while (this.#commitsBegan.length > underWay) {
      this.#commits++;
      this.#commitMs += performance.now() - this.#commitsBegan.shift()!;
      for (const link of this.#links) publish(link, link.committingTails.shift()!);
    }
  }

  /** Lets replies go that need no commit: at once, or behind those that wait for the last one. */
  #publishInOrder(): void {
    const last = this.#commitsBegan.length - 1;
    for (const link of this.#links) {
      if (last < 0) publish(link, link.end.replies.tail);
      else link.committingTails[last] = link.end.replies.tail;
    }
  }

  /** Completes what the turns so far have begun, before the log is closed. */
  finish(): void {
    assert(this.log.commit() === undefined, 'the log of this actor is durable on return');
    this.#endCommits();
    this.#publishInOrder();
  }

  /** False while the disk does not answer: since the last call, a commit was under way and none has
   *  ended. */
  progresses(): boolean {
    const stuck = this.#commitsBegan.length > 0 && this.#commits === this.#commitsAtLastBeat;
    this.#commitsAtLastBeat = this.#commits;
    return !stuck;
  }
}

function publish(link: RouterLink, upTo: number): void {
  if (link.end.replies.publish(upTo)) link.doorbell.ring();
}
