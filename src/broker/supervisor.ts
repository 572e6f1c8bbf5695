/* Starts, watches and restarts the partitions' threads, one for one. Runs on the main thread.
 *
 * A partition that throws, exits or stops beating is ended, and started again from its log with new
 * rings. Past the restart intensity it is failed and the others go on. A new thread is started only
 * after the old one has exited: that is the fence that keeps two writers off one log. */

import type { Worker } from 'node:worker_threads';
import type { ClockAnchor } from '../base/clock.ts';
import { startThread } from '../base/early-threads.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import {
  HEARTBEAT_INTERVAL_MS,
  RESTART_INTENSITY_MAX,
  RESTART_PERIOD_MS,
  RING_BYTES,
} from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import { ownModule } from '../base/own-code.ts';
import type { Board, BoardDescriptor } from '../command/board.ts';
import type { QueueSettings } from '../command/queue-definition.ts';
import type {
  LinkDescriptor,
  LogSettings,
  PartitionMessage,
  PartitionStart,
} from '../command/thread-protocol.ts';
import { allocateDoorbell } from '../ring/doorbell.ts';
import { allocateDuplex } from '../ring/duplex.ts';
import { HeartbeatWatch } from './heartbeat-watch.ts';
import { RestartIntensity } from './restart-intensity.ts';

const WORKER_URL = ownModule('partition/partition-worker.js');
/** A restart that follows a failure at once would find the same trouble. */
const RESTART_DELAY_MS = 50;

export interface SupervisorOptions {
  readonly board: Board;
  readonly boardDescriptor: BoardDescriptor;
  readonly clock: ClockAnchor;
  /** One per router, in their order. */
  readonly routerDoorbells: readonly SharedArrayBuffer[];
  readonly logOf: (partition: number) => LogSettings;
  readonly settings: () => QueueSettings[];
  readonly heartbeatTimeoutMs: number;
  readonly faults: boolean;
  readonly logger: Logger;
}

/** What the supervisor tells its owner. */
export interface SupervisorEvents {
  /** The thread of `partition` is being started: settings that change from now on are missed. */
  onStarting(partition: number): void;
  /** It runs; `links[r]` is router r's way to it. */
  onRunning(partition: number, links: readonly LinkDescriptor[]): void;
  /** It is gone; `code` says whether it comes back. */
  onGone(partition: number, code: ErrorCode): void;
  /** Its log has begun another segment. */
  onSegment(partition: number): void;
  /** Its log has given segments up. */
  onRetired(partition: number): void;
  /** It has gathered the digest of a segment that is complete. */
  onDigest(partition: number, index: number, digest: Uint8Array): void;
}

export class Supervisor {
  readonly #children: readonly PartitionChild[];
  #watchdog: NodeJS.Timeout | undefined;

  constructor(options: SupervisorOptions, events: SupervisorEvents) {
    this.#children = Array.from(
      { length: options.board.partitions },
      (_, partition) => new PartitionChild(partition, options, events),
    );
  }

  /** Starts every partition. Resolves when each has run once, or rejects with the first failure
   *  that a restart cannot mend. */
  async start(): Promise<void> {
    this.#watchdog = setInterval(() => this.#watch(), HEARTBEAT_INTERVAL_MS);
    await Promise.all(this.#children.map((child) => child.start()));
  }

  #watch(): void {
    for (const child of this.#children) child.watch();
  }

  /** No restarts from here on. Resolves when every thread has exited; each was told to stop before,
   *  or is ended after `patienceMs`. */
  async stop(patienceMs: number): Promise<void> {
    clearInterval(this.#watchdog);
    await Promise.all(this.#children.map((child) => child.stop(patienceMs)));
  }
}

/** Why a thread ended. */
interface Failure {
  readonly code: string;
  readonly reason: string;
}

class PartitionChild {
  readonly #partition: number;
  readonly #options: SupervisorOptions;
  readonly #events: SupervisorEvents;
  readonly #intensity = new RestartIntensity(RESTART_INTENSITY_MAX, RESTART_PERIOD_MS);
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #restartTimer: NodeJS.Timeout | undefined;
  #stopping = false;
  #failure: Failure | undefined;
  #watch: HeartbeatWatch | undefined;
  #firstRun: { resolve: () => void; reject: (error: BrokerError) => void } | undefined;

  constructor(partition: number, options: SupervisorOptions, events: SupervisorEvents) {
    this.#partition = partition;
    this.#options = options;
    this.#events = events;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#firstRun = { resolve, reject };
      this.#spawn();
    });
  }

  #spawn(): void {
    const { board, boardDescriptor, clock, routerDoorbells, logOf, settings, faults } =
      this.#options;
    const doorbell = allocateDoorbell();
    const links = routerDoorbells.map((routerDoorbell, router): LinkDescriptor => {
      const { requests, replies } = allocateDuplex(RING_BYTES);
      return { router, requests, replies, routerDoorbell, partitionDoorbell: doorbell };
    });
    this.#events.onStarting(this.#partition);
    board.clearPartition(this.#partition);
    const workerData: PartitionStart = {
      partition: this.#partition,
      log: logOf(this.#partition),
      board: boardDescriptor,
      clock,
      links,
      doorbell,
      queues: settings(),
      faults,
    };
    const { heartbeatTimeoutMs } = this.#options;
    this.#watch = new HeartbeatWatch(heartbeatTimeoutMs, board.heartbeat(this.#partition));
    this.#failure = undefined;
    const name = `partition-${this.#partition}`;
    const worker = startThread(WORKER_URL, { workerData, name });
    this.#worker = worker;
    worker.on('message', (message: PartitionMessage) => this.#onMessage(message, links));
    worker.on('error', (error) => {
      const code = error instanceof BrokerError ? error.code : 'CAPSTAN_INTERNAL';
      this.#failure ??= { code, reason: error.stack ?? error.message };
    });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        resolve();
        this.#onExit();
      });
    });
  }

  #onMessage(message: PartitionMessage, links: readonly LinkDescriptor[]): void {
    const { logger } = this.#options;
    const partition = this.#partition;
    switch (message.kind) {
      case 'running': {
        const { recoveryMs, messages, remark } = message;
        logger.info({ partition, recoveryMs: Math.round(recoveryMs), messages }, 'partition runs');
        if (remark !== undefined) logger.warn({ partition }, remark);
        this.#events.onRunning(partition, links);
        this.#firstRun?.resolve();
        this.#firstRun = undefined;
        break;
      }
      case 'segment':
        this.#events.onSegment(partition);
        break;
      case 'retired':
        this.#events.onRetired(partition);
        break;
      case 'digest':
        this.#events.onDigest(partition, message.index, message.digest);
        break;
      case 'failed':
        this.#failure = { code: message.code, reason: message.message };
        break;
      case 'stopped':
        break;
    }
  }

  #onExit(): void {
    const { board, logger } = this.#options;
    const partition = this.#partition;
    this.#worker = undefined;
    if (this.#stopping) {
      board.setState(partition, 'stopped');
      this.#events.onGone(partition, 'CAPSTAN_CLOSED');
      return;
    }
    const failure = this.#failure ?? { code: 'CAPSTAN_INTERNAL', reason: 'the thread exited' };
    logger.error({ partition, ...failure }, 'partition ended');
    // What is wrong with these is on disk: the same recovery would find it again.
    const hopeless = failure.code === 'CAPSTAN_LOG_CORRUPT' || isFormatError(failure.code);
    if (hopeless || !this.#intensity.allow(performance.now())) {
      this.#fail(failure);
      return;
    }
    board.setState(partition, 'restarting');
    board.countRestart(partition);
    this.#events.onGone(partition, 'CAPSTAN_PARTITION_RESTARTING');
    this.#restartTimer = setTimeout(() => this.#spawn(), RESTART_DELAY_MS);
  }

  #fail({ code, reason }: Failure): void {
    const { board, logger } = this.#options;
    // What it holds cannot be had: no receiver is to look for it, or to wait until it is gone.
    board.clearPartition(this.#partition);
    board.setState(this.#partition, 'failed');
    logger.error({ partition: this.#partition, code, reason }, 'partition failed: not restarted');
    this.#events.onGone(this.#partition, 'CAPSTAN_PARTITION_FAILED');
    this.#firstRun?.reject(
      new BrokerError('CAPSTAN_PARTITION_FAILED', `Partition ${this.#partition}: ${reason}`),
    );
    this.#firstRun = undefined;
  }

  /** Ends the thread when it hangs. */
  watch(): void {
    if (this.#worker === undefined) return;
    const { board } = this.#options;
    const state = board.state(this.#partition);
    const starting = state === 'starting' || state === 'restarting';
    if (this.#watch?.isHung(board.heartbeat(this.#partition), starting) !== true) return;
    this.#failure = { code: 'CAPSTAN_TIMEOUT', reason: 'no heartbeat: the thread hangs' };
    // A thread that waits for a disk ends when the disk answers; those who wait for it need not.
    board.setState(this.#partition, 'restarting');
    this.#events.onGone(this.#partition, 'CAPSTAN_PARTITION_RESTARTING');
    this.#terminate();
  }

  #terminate(): void {
    void this.#worker?.terminate();
  }

  async stop(patienceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    if (this.#worker === undefined) return;
    const timer = setTimeout(() => this.#terminate(), patienceMs);
    await this.#exited;
    clearTimeout(timer);
  }
}

function isFormatError(code: string): boolean {
  return code === 'CAPSTAN_FORMAT_UNSUPPORTED';
}
