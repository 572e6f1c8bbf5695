/* The door threads, seen from the main thread: started on one port, watched, started anew if one
 * ends or hangs, closed together. */

import { createServer } from 'node:net';
import type { Worker } from 'node:worker_threads';
import { startThread } from '../base/early-threads.ts';
import { BrokerError } from '../base/errors.ts';
import { HEARTBEAT_INTERVAL_MS, RESTART_INTENSITY_MAX, RESTART_PERIOD_MS } from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import { ownModule } from '../base/own-code.ts';
import type { Broker } from '../broker/broker.ts';
import { HeartbeatWatch } from '../broker/heartbeat-watch.ts';
import { RestartIntensity } from '../broker/restart-intensity.ts';
import { allocateLoopLags, LoopLagWatch } from './admin/loop-lag.ts';
import { allocateDoorCounters } from './door-counters.ts';
import type { DoorStart, FromDoor, ToDoor } from './door-thread.ts';
import { endHungThread } from './hung-thread.ts';

const WORKER_URL = ownModule('door/door-worker.js');

export interface DoorsOptions {
  readonly broker: Broker;
  readonly count: number;
  readonly host: string;
  /** One that `claimPort` has found free. */
  readonly port: number;
  readonly version: string;
  readonly publicUrl: string | undefined;
  readonly token: string | undefined;
  readonly logger: Logger;
  /** No door is left: nobody can reach the server any longer. */
  readonly onGone: () => void;
  /** A door hangs in such a way that only the end of the process ends it. */
  readonly onStuck: () => void;
}

/** One life of a door's thread. */
interface DoorLife {
  readonly worker: Worker;
  readonly watch: HeartbeatWatch;
  served: boolean;
  /** It was found hung, and is being ended. */
  hangs: boolean;
}

/** Makes sure that nobody else listens on the port: the doors share it, and would share it with
 *  another server as well. Resolves with the port, which is one that is free if `port` is 0. */
export function claimPort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => reject(portError(host, port, error)));
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      const claimed = address !== null && typeof address === 'object' ? address.port : port;
      probe.close(() => resolve(claimed));
    });
  });
}

const PORT_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another program listens there. Stop it, or choose another port with --port.',
  EACCES: 'That takes privileges. Choose a port from 1024 up with --port.',
  EADDRNOTAVAIL: 'This machine has no such address. Choose another one with --host.',
  ENOTFOUND: 'There is no such host. Choose an address of this machine with --host.',
};

function portError(host: string, port: number, error: NodeJS.ErrnoException): BrokerError {
  const advice = PORT_ADVICE[error.code ?? ''] ?? error.message;
  const detail = `Cannot listen on ${host}, port ${port}. ${advice}`;
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail, { cause: error });
}

export class Doors {
  readonly #options: DoorsOptions;
  readonly #lives: (DoorLife | undefined)[];
  readonly #intensity = new RestartIntensity(RESTART_INTENSITY_MAX, RESTART_PERIOD_MS);
  readonly #counters: SharedArrayBuffer;
  readonly #loopLags: SharedArrayBuffer;
  readonly #threadNames: readonly string[];
  readonly #lags: LoopLagWatch;
  readonly #startedAtMs = Date.now();
  readonly #watchdog: NodeJS.Timeout;
  #closing = false;

  /** Resolves when every door listens. */
  static async open(options: DoorsOptions): Promise<Doors> {
    const doors = new Doors(options);
    const starts = Array.from({ length: options.count }, (_, door) => doors.#start(door));
    const results = await Promise.allSettled(starts);
    const failed = results.find((each) => each.status === 'rejected');
    if (failed === undefined) return doors;
    await doors.close(0);
    throw failed.reason;
  }

  private constructor(options: DoorsOptions) {
    this.#options = options;
    this.#lives = new Array<undefined>(options.count).fill(undefined);
    this.#counters = allocateDoorCounters(options.count);
    this.#threadNames = ['main', ...Array.from({ length: options.count }, (_, d) => `door-${d}`)];
    this.#loopLags = allocateLoopLags(this.#threadNames.length);
    this.#lags = new LoopLagWatch(this.#loopLags, 0);
    this.#watchdog = setInterval(() => this.#watch(), HEARTBEAT_INTERVAL_MS);
    options.broker.onDamages((damages) => this.#tell({ kind: 'damages', damages }));
  }

  /** Starts the thread of a door; resolves when it listens. Rejects when it has ended, not
   *  before: until then it has the rings that the next one is given. */
  #start(door: number): Promise<void> {
    const { broker, host, port, version, publicUrl } = this.#options;
    const { start: router, transfer } = broker.routerStart(routerOf(door));
    const start: DoorStart = {
      door,
      host,
      port,
      router,
      version,
      startedAtMs: this.#startedAtMs,
      durability: broker.durability,
      publicUrl,
      token: this.#options.token,
      counters: this.#counters,
      loopLags: this.#loopLags,
      threadNames: this.#threadNames,
      damages: broker.damages,
    };
    const worker = startThread(WORKER_URL, {
      workerData: start,
      transferList: transfer,
      name: `capstan door ${door}`,
    });
    const { board, heartbeatTimeoutMs } = broker;
    const watch = new HeartbeatWatch(heartbeatTimeoutMs, board.routerHeartbeat(routerOf(door)));
    const life: DoorLife = { worker, watch, served: false, hangs: false };
    this.#lives[door] = life;
    return new Promise((resolve, reject) => {
      let failure: unknown;
      worker.on('message', (message: FromDoor) => {
        if (message.kind === 'listening') {
          life.served = true;
          resolve();
        } else if (message.kind === 'log') this.#log(message);
        else failure = new BrokerError('CAPSTAN_INTERNAL', message.message);
      });
      worker.on('error', (error) => {
        this.#options.logger.error({ door, error }, 'a door thread failed');
        failure ??= error;
      });
      worker.on('exit', (code) => {
        this.#lives[door] = undefined;
        const detail = `Door ${door} ended with code ${code}.`;
        reject(failure ?? new BrokerError('CAPSTAN_INTERNAL', detail));
        if (life.served) this.#restart(door, code);
      });
    });
  }

  #tell(message: ToDoor): void {
    for (const life of this.#lives) life?.worker.postMessage(message);
  }

  #watch(): void {
    const { board } = this.#options.broker;
    this.#lives.forEach((life, door) => {
      const isHung = life?.watch.isHung(board.routerHeartbeat(routerOf(door)), !life.served);
      if (isHung !== true) return;
      if (!life!.hangs) void this.#end(door, life!);
      else this.#giveUp(door, 'it hangs on, and cannot be interrupted');
    });
  }

  /** Ends a thread that hangs. Its exit has it started anew. */
  async #end(door: number, life: DoorLife): Promise<void> {
    life.hangs = true;
    this.#options.logger.error({ door }, 'no heartbeat: a door thread hangs');
    try {
      await endHungThread(life.worker);
    } catch (error) {
      this.#giveUp(door, error);
    }
  }

  #giveUp(door: number, error: unknown): void {
    const { logger, onStuck } = this.#options;
    logger.error({ door, error }, 'a door thread that hangs cannot be ended without the process');
    onStuck();
  }

  #log({ level, fields, message }: Extract<FromDoor, { kind: 'log' }>): void {
    this.#options.logger[level](fields, message);
  }

  /** One for one, as long as it does not happen too often. */
  #restart(door: number, code: number): void {
    if (this.#closing) return;
    const { logger, onGone } = this.#options;
    if (!this.#intensity.allow(performance.now())) {
      logger.error({ door, code }, 'a door thread ended too often; it is given up');
      if (this.#lives.every((life) => life === undefined)) onGone();
      return;
    }
    logger.warn({ door, code }, 'a door thread ended; it is started anew');
    this.#start(door).catch((error: unknown) => {
      logger.error({ door, error }, 'a door thread cannot be started');
      this.#restart(door, code);
    });
  }

  /** Closes all doors: what has begun gets `patienceMs` to finish. Resolves when the threads have
   *  ended. Idempotent. */
  async close(patienceMs: number): Promise<void> {
    this.#closing = true;
    this.#lags.close();
    const running = this.#lives.filter((life) => life !== undefined);
    await Promise.all(
      running.map(({ worker }) => {
        const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
        worker.postMessage({ kind: 'close', patienceMs } satisfies ToDoor);
        return ended;
      }),
    );
    // One that hangs until here would be waited for in vain.
    clearInterval(this.#watchdog);
  }
}

/** The main thread has the first router. */
function routerOf(door: number): number {
  return door + 1;
}
