/* The maintenance pool: one thread of low priority for what a log needs done beside its traffic.
 * Started when there is something to do, ended when there has been nothing for a while. Owned by
 * the main thread.
 *
 * Invariants: one task runs at a time. Spares go before everything else: a log that finds none
 * makes one itself, in the middle of its traffic. A task that fails costs time only, and is
 * logged. */

import type { Piscina } from 'piscina';
import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { ownModule } from '../base/own-code.ts';
import { workerArguments } from '../base/worker-arguments.ts';
import type { DigestTask } from '../log/wal/digest.ts';
import type { DigestToStore, ScrubResult, ScrubTask } from '../log/wal/maintenance-worker.ts';
import type { Damage } from '../log/wal/segment.ts';
import type { Preallocation } from '../log/wal/spares.ts';

const LOG_WORKER = ownModule('log/wal/maintenance-worker.js');
/** The pool's thread ends when it has had nothing to do for so long. */
const THREAD_IDLE_MS = 30_000;
/** Each cold segment is read and checked so often; for the first time soon after the start, which
 *  goes by digests. */
const SCRUB_INTERVAL_MS = 24 * 3600 * 1000;
const SCRUB_FIRST_MS = 10 * 60 * 1000;
/** Between two segments: reading them all at once would take the disk from the partitions. */
const SCRUB_PACE_MS = 500;

interface Task {
  readonly worker: URL;
  readonly name: string;
  readonly argument: unknown;
  readonly onStart: () => void;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class Maintenance {
  readonly #logger: Logger;
  readonly #urgent: Task[] = [];
  readonly #patient: Task[] = [];
  #pool: Piscina | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  /** Directories that a preallocation is waiting for. */
  readonly #preallocating = new Set<string>();
  /** Directories that are being cleared; true: there is, or may be, more to remove. */
  readonly #clearing = new Map<string, boolean>();
  /** Of logs whose digests are being written, by directory: what was asked for last. */
  readonly #digesting = new Map<string, DigestTask>();
  readonly #logs = new Set<string>();
  #scrubTimer: NodeJS.Timeout | undefined;
  #scrubbing: Promise<readonly Damage[]> | undefined;
  #damages: readonly Damage[] = [];
  readonly #onDamages: (damages: readonly Damage[]) => void;

  /** @param onDamages called after each round of scrubbing with all that it has found. */
  constructor(logger: Logger, onDamages: (damages: readonly Damage[]) => void = () => {}) {
    this.#logger = logger;
    this.#onDamages = onDamages;
  }

  /** Makes spares for the log in a directory ahead of use, removes what is of no use there, and
   *  remembers it for scrubbing. */
  preallocate(preallocation: Preallocation): void {
    const { directory } = preallocation;
    this.#watch(directory);
    if (this.#closed) return;
    this.#makeSpares(preallocation);
    void this.#clear(directory);
  }

  #makeSpares(preallocation: Preallocation): void {
    const { directory } = preallocation;
    if (this.#preallocating.has(directory)) return;
    this.#preallocating.add(directory);
    const made = this.#enqueue(this.#urgent, LOG_WORKER, 'preallocate', preallocation, () =>
      this.#preallocating.delete(directory),
    );
    made.catch((error: unknown) => {
      if (isClosed(error)) return;
      this.#logger.warn({ error, directory }, 'no log segment could be made ahead of use');
    });
  }

  /** File by file: spares go before each, and an end of the process waits for one only. */
  async #clear(directory: string): Promise<void> {
    const isUnderWay = this.#clearing.has(directory);
    this.#clearing.set(directory, true);
    if (isUnderWay) return;
    try {
      while (this.#clearing.get(directory) === true) {
        this.#clearing.set(directory, false);
        const more = await this.run(LOG_WORKER, 'clear', { directory });
        if (more === true) this.#clearing.set(directory, true);
      }
    } catch (error) {
      if (!isClosed(error)) {
        this.#logger.warn({ error, directory }, 'a file of no use could not be removed');
      }
    } finally {
      this.#clearing.delete(directory);
    }
  }

  /** Stores a digest that a log has gathered; its memory goes with it. */
  keepDigest(task: DigestToStore): void {
    if (this.#closed) return;
    const kept = this.#enqueue(this.#urgent, LOG_WORKER, 'keepDigest', task);
    kept.catch((error: unknown) => {
      if (isClosed(error)) return;
      const { directory, index } = task;
      this.#logger.warn({ error, directory, index }, 'a digest could not be stored');
    });
  }

  /** Runs the function `name` of a worker's module when nothing urgent is to be done. */
  run(worker: URL, name: string, argument: unknown): Promise<unknown> {
    return this.#enqueue(this.#patient, worker, name, argument);
  }

  /** Writes the digests that a log lacks, one segment at a time. Resolves when it has all, or when
   *  one could not be written; at once, where that log's are being written: that goes on by the
   *  new task.
   *  @param worker exports `digest(task)`, which writes the next one; see `writeNextDigest`. */
  async digest(worker: URL, task: DigestTask): Promise<void> {
    const { directory } = task;
    const isUnderWay = this.#digesting.has(directory);
    this.#digesting.set(directory, task);
    if (isUnderWay) return;
    try {
      for (let asked = task, written: unknown = true; written !== undefined; ) {
        asked = this.#digesting.get(directory)!;
        written = await this.run(worker, 'digest', asked);
        // Nothing was missing by what was asked then.
        if (this.#digesting.get(directory) !== asked) written = true;
      }
    } catch (error) {
      if (!isClosed(error)) {
        this.#logger.warn({ error, directory }, 'a log segment could not be digested');
      }
    } finally {
      this.#digesting.delete(directory);
    }
  }

  // Scrubbing.

  /** What the last round of scrubbing has found damaged. */
  get damages(): readonly Damage[] {
    return this.#damages;
  }

  #watch(directory: string): void {
    this.#logs.add(directory);
    if (this.#scrubTimer !== undefined || this.#closed) return;
    this.#scrubAfter(SCRUB_FIRST_MS);
  }

  #scrubAfter(delayMs: number): void {
    this.#scrubTimer = setTimeout(() => {
      void this.scrub();
      this.#scrubAfter(SCRUB_INTERVAL_MS);
    }, delayMs);
    this.#scrubTimer.unref();
  }

  /** Reads and checks every cold segment of every log; resolves to the damages found. */
  scrub(paceMs = SCRUB_PACE_MS): Promise<readonly Damage[]> {
    this.#scrubbing ??= this.#scrub(paceMs).finally(() => {
      this.#scrubbing = undefined;
    });
    return this.#scrubbing;
  }

  async #scrub(paceMs: number): Promise<readonly Damage[]> {
    const found: Damage[] = [];
    for (const directory of this.#logs) {
      for (let from = 0; !this.#closed; ) {
        const { scrubbed, damage } = await this.#scrubNext({ directory, from });
        if (damage !== undefined) {
          found.push(damage);
          this.#logger.error(damage, 'a cold log segment is damaged');
        }
        if (scrubbed === undefined) break;
        from = scrubbed + 1;
        await new Promise((resolve) => setTimeout(resolve, paceMs).unref());
      }
    }
    this.#damages = found;
    this.#onDamages(found);
    return found;
  }

  async #scrubNext(task: ScrubTask): Promise<ScrubResult> {
    try {
      return (await this.run(LOG_WORKER, 'scrub', task)) as ScrubResult;
    } catch (error) {
      if (!isClosed(error)) this.#logger.warn({ error, ...task }, 'a log could not be scrubbed');
      return { scrubbed: undefined, damage: undefined };
    }
  }

  // Tasks.

  #enqueue(
    queue: Task[],
    worker: URL,
    name: string,
    argument: unknown,
    onStart: () => void = () => {},
  ): Promise<unknown> {
    if (this.#closed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      queue.push({ worker, name, argument, onStart, resolve, reject });
      this.#startNext();
    });
  }

  #startNext(): void {
    if (this.#running !== undefined) return;
    const task = this.#urgent.shift() ?? this.#patient.shift();
    if (task === undefined) return;
    task.onStart();
    const { worker, name } = task;
    this.#running = this.#open()
      .then((pool) => pool.run(task.argument, { filename: worker.href, name }))
      .then(task.resolve, task.reject)
      .finally(() => {
        this.#running = undefined;
        this.#startNext();
      });
  }

  async #open(): Promise<Piscina> {
    // Loaded when there is something to do: a start has nothing for it.
    const { Piscina } = await import('piscina');
    this.#pool ??= new Piscina({
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: THREAD_IDLE_MS,
      ...workerArguments(),
    });
    return this.#pool;
  }

  /** Lets the task at hand end, and no other one begin. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#scrubTimer);
    for (const task of [...this.#urgent.splice(0), ...this.#patient.splice(0)]) {
      task.reject(closed());
    }
    await this.#running;
    await this.#pool?.destroy();
    this.#pool = undefined;
  }
}

function closed(): BrokerError {
  return new BrokerError('CAPSTAN_CLOSED', 'Maintenance has ended.');
}

function isClosed(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'CAPSTAN_CLOSED';
}
