/* The whole broker but its doors: data folder, catalog, partitions, and the main thread's router.
 * Opened by the server and by the embedded API alike; everything here runs on the main thread. */

import { totalmem } from 'node:os';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { anchorClock, type Clock, type ClockAnchor, steadyClock } from '../base/clock.ts';
import { halfOfTheCores } from '../base/cores.ts';
import { type Durability, formatDurability } from '../base/durability.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import {
  HEARTBEAT_TIMEOUT_MS_DEFAULT,
  LOG_SEGMENT_BYTES_DEFAULT,
  LOG_WINDOW_BYTES_DEFAULT_MAX,
  LOG_WINDOW_BYTES_DEFAULT_MIN,
  LOG_WINDOW_BYTES_MAX,
  LOG_WINDOW_BYTES_MIN,
  PARTITIONS_MAX,
  QUEUES_MAX,
  ROUTERS_MAX,
  WINDOWS_PART_OF_MEMORY,
} from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import { ownModule } from '../base/own-code.ts';
import { Catalog } from '../catalog/catalog.ts';
import type { CatalogChange, Definitions } from '../catalog/definitions.ts';
import { affectedBy, settingsOf } from '../catalog/queue-settings.ts';
import {
  allocateBoard,
  Board,
  type BoardDescriptor,
  type PartitionState,
} from '../command/board.ts';
import type { FaultKind } from '../command/command-codec.ts';
import type { QueueSettings } from '../command/queue-definition.ts';
import {
  DIGEST_CONTENT_VERSION,
  type LinkDescriptor,
  type LogSettings,
} from '../command/thread-protocol.ts';
import { type DataFolder, openDataFolder } from '../log/wal/data-folder.ts';
import type { Damage } from '../log/wal/segment.ts';
import { hasSpares } from '../log/wal/spares.ts';
import { NODE_STORAGE } from '../log/wal/storage.ts';
import { openWal } from '../log/wal/wal.ts';
import { allocateDoorbell, Doorbell } from '../ring/doorbell.ts';
import { CatalogOwner } from './catalog-owner.ts';
import { Maintenance } from './maintenance.ts';
import { sleep } from './move-task-run.ts';
import { MoveTaskRunner } from './move-task-runner.ts';
import type { NativeService } from './native-service.ts';
import { ReceiptCodec } from './receipt-handle.ts';
import { relayoutFolder } from './relayout.ts';
import { RouterPort, type RouterStart } from './remote-router.ts';
import { Router } from './router.ts';
import { Supervisor } from './supervisor.ts';
import { TransitCarrier } from './transit-carrier.ts';

/** The main thread's router. */
const MAIN_ROUTER = 0;
/** Writes digests; see src/partition/digest-worker.ts. */
const DIGEST_WORKER_URL = ownModule('partition/digest-worker.js');
/** While a log grows, its newest segments are left alone: in most logs they are given up before a
 *  start needs them. Once it has not grown for a while, only the one that is written to is. */
const SEGMENTS_NOT_DIGESTED = 4;
const SEGMENTS_NOT_DIGESTED_IN_QUIET = 1;
const QUIET_MS = 5_000;
/** Segments that are kept ready ahead of use, per partition. */
const SPARE_SEGMENTS = 2;
/** After a start the first clients come before maintenance, which has had what it needs most. */
const FIRST_MAINTENANCE_MS = 1000;
const PAGE_BYTES = 4096;
const CATALOG_SEGMENT_BYTES = 1024 * 1024;
/** A partition that was told to stop has this long to finish its turn. */
const STOP_PATIENCE_MS = 10_000;

export interface BrokerOptions {
  /** The data folder; made if it does not exist. */
  readonly data: string;
  /** A data folder that has another number is laid out anew. Undefined: its own; half as many as
   *  cores in a new one. */
  readonly partitions?: number | undefined;
  readonly durability?: Durability | undefined;
  /** Routers besides the main thread's: one per door. */
  readonly remoteRouters?: number | undefined;
  readonly segmentBytes?: number | undefined;
  /** What the newest messages may take in memory, over all partitions. Default: by the machine. */
  readonly memoryBytes?: number | undefined;
  readonly heartbeatTimeoutMs?: number | undefined;
  /** Waits of 60 s after DeleteQueue and PurgeQueue, as SQS has them. */
  readonly strictWaits?: boolean | undefined;
  /** Partitions can be made to fail on purpose. */
  readonly faults?: boolean | undefined;
  readonly logger: Logger;
}

export interface PartitionHealth {
  readonly partition: number;
  readonly state: PartitionState;
  readonly restarts: number;
}

export class Broker {
  readonly board: Board;
  readonly durability: string;
  readonly #router: Router;
  readonly #catalog: Catalog;
  readonly #moves: MoveTaskRunner;
  readonly #carrier: TransitCarrier;
  readonly #owner: CatalogOwner;
  readonly #folder: DataFolder;
  readonly #options: BrokerOptions;
  readonly #boardDescriptor: BoardDescriptor;
  readonly #clockAnchor: ClockAnchor;
  readonly #definitions: Definitions;
  readonly #doorbells: readonly SharedArrayBuffer[];
  readonly #supervisor: Supervisor;
  readonly #maintenance: Maintenance;
  readonly #links: (readonly LinkDescriptor[] | undefined)[];
  readonly #ports: RouterPort[] = [];
  /** By router, how many threads have had it. */
  readonly #routerLives: number[] = [];
  /** Of partitions that are starting: what changed since their settings were taken. */
  readonly #missedChanges: (CatalogChange[] | undefined)[];
  /** Of each partition, until its log is quiet. */
  readonly #quietTimers: (NodeJS.Timeout | undefined)[] = [];
  #firstMaintenance: NodeJS.Timeout | undefined;
  readonly #damageListeners: ((damages: readonly Damage[]) => void)[] = [];
  #closing: Promise<void> | undefined;

  /** Opens the data folder and starts the partitions. Resolves when all of them run.
   *  Rejects CAPSTAN_DATA_FOLDER_LOCKED, CAPSTAN_FORMAT_UNSUPPORTED, CAPSTAN_PARTITION_FAILED. */
  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = await Broker.prepare(options);
    try {
      await broker.start();
    } catch (error) {
      await broker.close();
      throw error;
    }
    return broker;
  }

  /** Opens the data folder and the catalog; no partition runs before `start`. A folder that has
   *  another number of partitions than is asked for is laid out anew first. */
  static async prepare(options: BrokerOptions): Promise<Broker> {
    const partitions = options.partitions ?? halfOfTheCores(PARTITIONS_MAX);
    requireWithin('partitions', partitions, PARTITIONS_MAX);
    requireWithin('doors', 1 + (options.remoteRouters ?? 0), ROUTERS_MAX);
    let folder = openDataFolder(options.data, { partitions });
    try {
      if (options.partitions !== undefined && partitions !== folder.partitions) {
        folder = await relayout(folder, partitions, options);
      }
      return new Broker(options, folder);
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  private constructor(options: BrokerOptions, folder: DataFolder) {
    const durability = options.durability ?? { mode: 'fsync' };
    this.#options = options;
    this.#folder = folder;
    this.durability = formatDurability(durability);
    this.#boardDescriptor = allocateBoard(folder.partitions, QUEUES_MAX);
    this.board = new Board(this.#boardDescriptor);
    this.#clockAnchor = anchorClock();
    const clock = steadyClock(this.#clockAnchor);
    const routers = 1 + (options.remoteRouters ?? 0);
    this.#doorbells = Array.from({ length: routers }, () => allocateDoorbell());
    this.#links = Array.from({ length: folder.partitions });
    this.#missedChanges = Array.from({ length: folder.partitions });
    this.#maintenance = new Maintenance(options.logger, (found) => this.#tellDamages(found));
    this.#catalog = openCatalog(folder, options, (change) => this.#publish(change));
    this.#definitions = this.#catalog.definitions;
    this.#moves = this.#makeMoveTaskRunner(clock);
    const owner = new CatalogOwner({
      catalog: this.#catalog,
      moves: this.#moves,
      clock,
      messagesIn: ({ boardRow }) =>
        this.board.visible(boardRow) + this.board.inFlight(boardRow) + this.board.delayed(boardRow),
      strictWaits: options.strictWaits ?? false,
    });
    this.#owner = owner;
    this.#router = new Router({
      router: MAIN_ROUTER,
      board: this.board,
      definitions: this.#definitions,
      receipts: new ReceiptCodec(folder.secret),
      clock,
      doorbell: new Doorbell(this.#doorbells[MAIN_ROUTER]!),
      catalog: owner,
    });
    this.#carrier = new TransitCarrier({
      partitions: folder.partitions,
      calls: this.#router.transit,
      definitions: this.#definitions,
      sleep,
      logger: options.logger,
    });
    this.#supervisor = this.#makeSupervisor();
  }

  #makeMoveTaskRunner(clock: Clock): MoveTaskRunner {
    return new MoveTaskRunner({
      catalog: this.#catalog,
      partitions: this.#folder.partitions,
      move: (source, destination, partition, max) =>
        this.#carrier.step(partition, () => this.#router.move(source, destination, partition, max)),
      approximateCount: (queueId) => {
        const queue = this.#definitions.byId(queueId);
        return queue === undefined ? 0 : this.#router.counts(queue).visible;
      },
      now: clock,
      logger: this.#options.logger,
    });
  }

  #makeSupervisor(): Supervisor {
    const { options, folder } = { options: this.#options, folder: this.#folder };
    return new Supervisor(
      {
        board: this.board,
        boardDescriptor: this.#boardDescriptor,
        clock: this.#clockAnchor,
        routerDoorbells: this.#doorbells,
        logOf: (partition) =>
          logSettings(folder.partitionDirectory(partition), folder.partitions, options),
        settings: () => this.#allSettings(),
        heartbeatTimeoutMs: this.heartbeatTimeoutMs,
        faults: options.faults ?? false,
        logger: options.logger,
      },
      {
        onStarting: (partition) => {
          this.#missedChanges[partition] = [];
        },
        onRunning: (partition, links) => void this.#onRunning(partition, links),
        onGone: (partition, code) => this.#onGone(partition, code),
        onSegment: (partition) => this.#prepareSegments(partition),
        onRetired: (partition) => this.#preallocate(this.#folder.partitionDirectory(partition)),
        onDigest: (partition, index, digest) => {
          const directory = this.#folder.partitionDirectory(partition);
          this.#maintenance.keepDigest({ directory, index, digest });
        },
      },
    );
  }

  #allSettings(): QueueSettings[] {
    return Array.from(this.#definitions.all(), (each) => settingsOf(each, this.#definitions));
  }

  /** Starts the partitions; resolves when all of them run. */
  async start(): Promise<void> {
    const partitions = Array.from({ length: this.partitions }, (_, partition) => partition);
    // A new log will want a segment at once. For others, reading what they hold comes first.
    const bare = (partition: number) =>
      !hasSpares(NODE_STORAGE, this.#folder.partitionDirectory(partition));
    for (const partition of partitions.filter(bare)) this.#prepareSegments(partition);
    await this.#supervisor.start();
    this.#firstMaintenance = setTimeout(() => {
      for (const partition of partitions) this.#prepareSegments(partition);
    }, FIRST_MAINTENANCE_MS).unref();
    this.#moves.resume();
  }

  get partitions(): number {
    return this.#folder.partitions;
  }

  /** A thread that has not beaten for so long hangs. */
  get heartbeatTimeoutMs(): number {
    return this.#options.heartbeatTimeoutMs ?? HEARTBEAT_TIMEOUT_MS_DEFAULT;
  }

  get service(): NativeService {
    return this.#router;
  }

  #prepareSegments(partition: number): void {
    const directory = this.#folder.partitionDirectory(partition);
    this.#preallocate(directory);
    this.#digest(directory, SEGMENTS_NOT_DIGESTED);
    clearTimeout(this.#quietTimers[partition]);
    this.#quietTimers[partition] = setTimeout(
      () => this.#digest(directory, SEGMENTS_NOT_DIGESTED_IN_QUIET),
      QUIET_MS,
    ).unref();
  }

  #preallocate(directory: string): void {
    const segmentBytes = this.#options.segmentBytes ?? LOG_SEGMENT_BYTES_DEFAULT;
    this.#maintenance.preallocate({ directory, segmentBytes, sparesWanted: SPARE_SEGMENTS });
  }

  #digest(directory: string, segmentsLeftAlone: number): void {
    const contentVersion = DIGEST_CONTENT_VERSION;
    const task = { directory, contentVersion, segmentsLeftAlone };
    void this.#maintenance.digest(DIGEST_WORKER_URL, task);
  }

  /** Cold parts of logs that the last round of scrubbing has found damaged. */
  get damages(): readonly Damage[] {
    return this.#maintenance.damages;
  }

  /** Calls `listener` after each round of scrubbing. */
  onDamages(listener: (damages: readonly Damage[]) => void): void {
    this.#damageListeners.push(listener);
  }

  #tellDamages(damages: readonly Damage[]): void {
    for (const listener of this.#damageListeners) listener(damages);
  }

  async #onRunning(partition: number, links: readonly LinkDescriptor[]): Promise<void> {
    this.#router.attach(partition, links[MAIN_ROUTER]!);
    // Definitions that changed while it recovered come before any router's commands.
    const missed = this.#missedChanges[partition];
    this.#missedChanges[partition] = undefined;
    try {
      for (const change of missed ?? []) await this.#tellPartitions(change);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return; // It is gone again, and its next start has the changes.
    }
    if (!this.#router.isAttached(partition)) return;
    this.#links[partition] = links;
    this.#ports.forEach((port, index) => port.attach(partition, links[index + 1]!));
    // Whatever was on its way when it went down.
    this.#carrier.attend(partition);
  }

  #onGone(partition: number, code: ErrorCode): void {
    this.#links[partition] = undefined;
    this.#router.detach(partition, code);
    for (const port of this.#ports) port.detach(partition, code);
  }

  /** Makes a committed change known to everyone. Routers learn of a new queue after partitions, and
   *  of a deleted one before them: nobody sends to a queue that a partition does not have. */
  async #publish(change: CatalogChange): Promise<void> {
    if (change.kind === 'deleted') {
      this.#router.definitionChanged(change);
      await this.#tellRouters(change);
      await this.#tellPartitions(change);
    } else {
      await this.#tellPartitions(change);
      await this.#tellRouters(change);
    }
  }

  async #tellRouters(change: CatalogChange): Promise<void> {
    await Promise.all(this.#ports.map((port) => port.change(change)));
  }

  async #tellPartitions(change: CatalogChange): Promise<void> {
    for (const missed of this.#missedChanges) missed?.push(change);
    const drop = change.kind === 'deleted' ? change.definition.queueId : undefined;
    const defined = affectedBy(change, this.#definitions).map((each) =>
      Buffer.from(JSON.stringify(settingsOf(each, this.#definitions))),
    );
    const partitions = Array.from({ length: this.partitions }, (_, partition) => partition);
    await Promise.all(
      partitions.map(async (partition) => {
        try {
          for (const settings of defined) await this.#router.define(partition, settings);
          if (drop !== undefined) await this.#router.drop(partition, drop);
        } catch (error) {
          // A partition that is not running takes the change from its next start.
          if (!(error instanceof BrokerError)) throw error;
        }
      }),
    );
  }

  /** What a thread needs to have router `index` (1 ..), and the objects to transfer with it. */
  routerStart(index: number): { start: RouterStart; transfer: MessagePort[] } {
    const { port1, port2 } = new MessageChannel();
    this.#ports[index - 1] = new RouterPort(port1, this.#owner);
    const life = this.#routerLives[index] ?? 0;
    this.#routerLives[index] = life + 1;
    const start: RouterStart = {
      router: index,
      life,
      board: this.#boardDescriptor,
      clock: this.#clockAnchor,
      doorbell: this.#doorbells[index]!,
      secret: this.#folder.secret,
      definitions: [...this.#definitions.all()],
      links: this.#links.map((links) => links?.[index]),
      port: port2,
    };
    return { start, transfer: [port2] };
  }

  health(): PartitionHealth[] {
    return Array.from({ length: this.partitions }, (_, partition) => ({
      partition,
      state: this.board.state(partition),
      restarts: this.board.restarts(partition),
    }));
  }

  /** Makes a partition fail on purpose; only where `faults` was asked for. */
  async fault(partition: number, kind: FaultKind): Promise<void> {
    await this.#router.fault(partition, kind);
  }

  /** Ends waits, lets the partitions finish their turns, closes their logs and the data folder.
   *  Whoever has a remote router has stopped using it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#router.endWaits();
    await this.#moves.close();
    await this.#carrier.close();
    await this.#catalog.close();
    await this.#router.settled(STOP_PATIENCE_MS);
    const stops = Array.from({ length: this.partitions }, async (_, partition) => {
      // One that does not answer is ended by the supervisor; its log needs no goodbye.
      await this.#router.stop(partition).catch((error: unknown) => {
        this.#options.logger.debug({ partition, error }, 'partition did not take its stop');
      });
    });
    const stopped = this.#supervisor.stop(STOP_PATIENCE_MS);
    await Promise.all([...stops, stopped]);
    this.#router.close();
    for (const port of this.#ports) port.close();
    for (const timer of [this.#firstMaintenance, ...this.#quietTimers]) clearTimeout(timer);
    await this.#maintenance.close();
    this.#folder.close();
  }
}

function logSettings(directory: string, partitions: number, options: BrokerOptions): LogSettings {
  const { segmentBytes, memoryBytes, durability } = options;
  return {
    directory,
    segmentBytes: segmentBytes ?? LOG_SEGMENT_BYTES_DEFAULT,
    windowBytes: windowBytes(memoryBytes, partitions),
    durability: durability ?? { mode: 'fsync' },
  };
}

/** The memory of one partition's log. */
function windowBytes(memoryBytes: number | undefined, partitions: number): number {
  const share = (memoryBytes ?? totalmem() * WINDOWS_PART_OF_MEMORY) / partitions;
  const [min, max] =
    memoryBytes === undefined
      ? [LOG_WINDOW_BYTES_DEFAULT_MIN, LOG_WINDOW_BYTES_DEFAULT_MAX]
      : [LOG_WINDOW_BYTES_MIN, LOG_WINDOW_BYTES_MAX];
  return Math.floor(Math.min(max, Math.max(min, share)) / PAGE_BYTES) * PAGE_BYTES;
}

function openCatalog(
  folder: DataFolder,
  { logger, strictWaits = false }: BrokerOptions,
  onChange: (change: CatalogChange) => Promise<void>,
): Catalog {
  const settings = {
    directory: folder.catalogDirectory,
    segmentBytes: CATALOG_SEGMENT_BYTES,
    windowBytes: CATALOG_SEGMENT_BYTES,
    // Definitions are few, and everything hangs on them: always synced.
    durability: { mode: 'fsync' },
  } as const;
  return new Catalog({
    logger,
    strictWaits,
    onChange,
    openLog: (replay) => openWal(settings, replay).log,
  });
}

async function relayout(
  folder: DataFolder,
  partitions: number,
  options: BrokerOptions,
): Promise<DataFolder> {
  const { logger } = options;
  const catalog = openCatalog(folder, options, () => Promise.resolve());
  try {
    const { definitions } = catalog;
    const logIn = (directory: string) => logSettings(directory, partitions, options);
    return await relayoutFolder(folder, {
      partitions,
      definitions,
      logIn,
      now: Date.now(),
      logger,
    });
  } finally {
    await catalog.close();
  }
}

function requireWithin(what: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new BrokerError(
    'CAPSTAN_INVALID_ARGUMENT',
    `${what} is ${value}; it must be a whole number from 1 to ${max}.`,
  );
}
