/* The door threads, seen from the main thread: started on one port, watched, started anew if one
 * ends, closed together. */

import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { BrokerError } from '../base/errors.ts';
import { RESTART_INTENSITY_MAX, RESTART_PERIOD_MS } from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import type { Broker } from '../broker/broker.ts';
import { RestartIntensity } from '../broker/restart-intensity.ts';
import { allocateLoopLags, LoopLagWatch } from './admin/loop-lag.ts';
import { allocateDoorCounters } from './door-counters.ts';
import type { DoorStart, FromDoor, ToDoor } from './door-thread.ts';

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
  readonly #workers: (Worker | undefined)[];
  readonly #intensity = new RestartIntensity(RESTART_INTENSITY_MAX, RESTART_PERIOD_MS);
  readonly #counters: SharedArrayBuffer;
  readonly #loopLags: SharedArrayBuffer;
  readonly #threadNames: readonly string[];
  readonly #lags: LoopLagWatch;
  readonly #startedAtMs = Date.now();
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
    this.#workers = new Array<undefined>(options.count).fill(undefined);
    this.#counters = allocateDoorCounters(options.count);
    this.#threadNames = ['main', ...Array.from({ length: options.count }, (_, d) => `door-${d}`)];
    this.#loopLags = allocateLoopLags(this.#threadNames.length);
    this.#lags = new LoopLagWatch(this.#loopLags, 0);
    options.broker.onDamages((damages) => this.#tell({ kind: 'damages', damages }));
  }

  /** Starts the thread of a door; resolves when it listens. */
  #start(door: number): Promise<void> {
    const { broker, host, port, version, publicUrl } = this.#options;
    const { start: router, transfer } = broker.routerStart(door + 1);
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
    const url = new URL('./door-worker.js', import.meta.url);
    const worker = new Worker(url, {
      workerData: start,
      transferList: transfer,
      name: `capstan door ${door}`,
    });
    this.#workers[door] = worker;
    let served = false;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromDoor) => {
        if (message.kind === 'listening') {
          served = true;
          resolve();
        } else if (message.kind === 'log') this.#log(message);
        else reject(new BrokerError('CAPSTAN_INTERNAL', message.message));
      });
      worker.on('error', (error) => {
        this.#options.logger.error({ door, error }, 'a door thread failed');
        reject(error);
      });
      worker.on('exit', (code) => {
        reject(new BrokerError('CAPSTAN_INTERNAL', `Door ${door} ended with code ${code}.`));
        this.#workers[door] = undefined;
        if (served) this.#restart(door, code);
      });
    });
  }

  #tell(message: ToDoor): void {
    for (const worker of this.#workers) worker?.postMessage(message);
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
      if (this.#workers.every((worker) => worker === undefined)) onGone();
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
    const running = this.#workers.filter((worker) => worker !== undefined);
    await Promise.all(
      running.map((worker) => {
        const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
        worker.postMessage({ kind: 'close', patienceMs } satisfies ToDoor);
        return ended;
      }),
    );
  }
}
