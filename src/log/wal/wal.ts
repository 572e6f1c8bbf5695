/* The write-ahead log on local disk. Owned by one thread, whose turn it serves synchronously; only
 * the sync of a commit that was begun is left to another one.
 *
 * Its newest bytes stay in memory, in one buffer that is laid over the positions like a tile: byte
 * `position % windowBytes`. A batch that begins near the tile's end runs on into the overlap behind
 * it, so that it lies and is written in one piece; then the overlap moves to the tile's start.
 *   |<----------------- windowBytes ----------------->|<---- overlap ---->|
 *   | written ...  | batch: frame | frame | open frame: header, records . |
 *
 * Invariants: everything before the batch is with the operating system. A batch is of one segment.
 * A segment is on disk whole before the next one is begun. After a failed write or sync nothing is
 * written any more. */

import { assert } from '../../base/assert.ts';
import type { Durability } from '../../base/durability.ts';
import { BrokerError } from '../../base/errors.ts';
import { FRAME_BYTES_MAX, LOG_COMMIT_BYTES_MAX } from '../../base/limits.ts';
import { COMMITS_UNDER_WAY_MAX, type Log, type LogPosition, type ReplayHandler } from '../log.ts';
import { ColdReader } from './cold-reader.ts';
import { FrameReader } from './frame-reader.ts';
import { LiveDigest, type LiveDigestSettings } from './live-digest.ts';
import {
  alignFrame,
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  sealFrame,
  viewOf,
} from './record.ts';
import { type RecoveredLog, type RecoveryReport, recoverLog } from './recovery.ts';
import { CorruptionError, type Segment } from './segment.ts';
import { SegmentFolder } from './segment-folder.ts';
import { NODE_STORAGE, type Storage, type StorageFile } from './storage.ts';
import type { Syncer } from './syncer.ts';

export interface WalSettings {
  readonly directory: string;
  /** Of a new log; one that exists keeps its own. A multiple of 8. */
  readonly segmentBytes: number;
  /** The newest bytes, kept in memory. */
  readonly windowBytes: number;
  readonly durability: Durability;
  /** A frame is closed before it grows larger, unless a single record is: to read back any byte of
   *  it, all of it must be read and checked. */
  readonly frameBytes?: number;
  /** Digests of this content are replayed instead of their segments; none when left out. */
  readonly digestContentVersion?: number;
  /** Digests of segments are gathered as they are written; none when left out. */
  readonly liveDigest?: LiveDigestSettings;
  /** Called when another segment is begun; with the spares that are left. */
  readonly onRotate?: (spares: number) => void;
  /** Called when segments were given up, and files are left for the maintenance pool to remove: see
   *  `removeLeftover`. Without it, the log removes them itself. */
  readonly onRetired?: (() => void) | undefined;
  readonly storage?: Storage;
  /** Syncs every commit while the log's thread goes on, so only where each is to be synced; without
   *  one, a commit is done when it has begun. */
  readonly syncer?: Syncer | undefined;
  /** Milliseconds that never go back; for syncs by the clock. */
  readonly clock?: () => number;
  /** A random word of 32 bits; for salts. */
  readonly randomWord?: () => number;
}

/** Opens the log in `settings.directory`, and makes it if it is not there. Every record that it
 *  holds is handed to `replay` first, and is on disk.
 *  Throws CAPSTAN_LOG_CORRUPT with file and offset, CAPSTAN_FORMAT_UNSUPPORTED, and the system's
 *  errors. */
export function openWal(
  settings: WalSettings,
  replay: ReplayHandler,
): { log: Log; report: RecoveryReport } {
  const { storage = NODE_STORAGE, directory } = settings;
  storage.makeDirectory(directory);
  const { digestContentVersion } = settings;
  const recovered = recoverLog({ storage, directory, digestContentVersion }, replay);
  return { log: new Wal(settings, recovered), report: recovered.report };
}

const FRAME_BYTES_DEFAULT = 128 * 1024;
/** A frame with a record of the largest size. */
const FULL_FRAME_BYTES = alignFrame(FRAME_HEADER_BYTES + RECORD_HEADER_BYTES + FRAME_BYTES_MAX);
const SCAN_BYTES = 1024 * 1024;
/** No record fits below it: the slow path of `claim` finds out why. */
const NO_FRAME = -1;

/** By the global that Node loads when it is first used: a start needs no salt, and has no time. */
function randomWord(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

class Wal implements Log {
  readonly buffer: Buffer;
  readonly view: DataView;
  claimedPosition: LogPosition = 0;
  readBuffer: Buffer;
  readView: DataView;
  readOffset = 0;
  readonly regionBytes: number;
  spaceLow = false;

  readonly #storage: Storage;
  readonly #syncer: Syncer | undefined;
  readonly #folder: SegmentFolder;
  readonly #durability: Durability;
  readonly #clock: () => number;
  readonly #randomWord: () => number;
  readonly #onRotate: (spares: number) => void;
  readonly #liveDigest: LiveDigest | undefined;
  readonly #windowBytes: number;
  readonly #batchBytesMax: number;
  readonly #frameBytes: number;

  /** Those before the current one; the oldest first. */
  readonly #older: Segment[];
  /** Undefined when the next claim has yet to begin one: opening a log makes none. */
  #current: Segment | undefined;
  #file: StorageFile | undefined;
  readonly #cold: ColdReader;
  #scanner: FrameReader | undefined;

  // Memory. Offsets count in `buffer`.
  /** The position of offset 0. */
  #base = 0;
  /** Where the batch begins: the frames that are not written yet. The last one is open. */
  #batchStart = 0;
  #frameStart = 0;
  /** Where the open frame's next record goes. */
  #head = 0;
  /** The open frame does not grow beyond it, the batch not beyond the segment. */
  #frameLimit = NO_FRAME;
  #segmentLimit = 0;
  #records = 0;
  /** Positions from here on have been in memory. */
  #memoryStart = Number.POSITIVE_INFINITY;

  // Progress.
  /** That of the open frame. */
  #sequence: number;
  #durableSequence: number;
  /** Those of the last frames that the syncs begun cover; the oldest first. */
  readonly #syncing: number[] = [];
  /** Records are claimed that no commit has covered. */
  #uncovered = false;
  /** Bytes of batches that were written before their commit because they were full. */
  #earlyBytes = 0;
  #syncedAt: number;
  /** All up to this one are on disk, and a frame behind them says so. */
  #vouchedSequence: number;
  /** Of the last frame that was written to say so, and nothing else. */
  #markSequence = 0;
  #sequenceAtLastIdle = 0;
  #failure: BrokerError | undefined;

  constructor(settings: WalSettings, { segments, nextSequence }: RecoveredLog) {
    this.#storage = settings.storage ?? NODE_STORAGE;
    this.#syncer = settings.syncer;
    this.#durability = settings.durability;
    this.#clock = settings.clock ?? (() => performance.now());
    this.#randomWord = settings.randomWord ?? randomWord;
    this.#onRotate = settings.onRotate ?? (() => {});
    this.#liveDigest = settings.liveDigest && new LiveDigest(settings.liveDigest);
    this.#older = segments;
    this.#sequence = nextSequence;
    this.#durableSequence = nextSequence - 1;
    this.#vouchedSequence = nextSequence - 1;
    this.#syncedAt = this.#clock();
    const segmentBytes = segments[0]?.header.segmentBytes ?? settings.segmentBytes;
    const { windowBytes } = settings;
    assert(segmentBytes % FRAME_ALIGNMENT === 0, 'a segment is a whole number of aligned frames');
    assert(segmentBytes >= 4096 && windowBytes >= 4096, 'segments and windows hold some frames');
    this.regionBytes = segmentBytes;
    this.#frameBytes = settings.frameBytes ?? FRAME_BYTES_DEFAULT;
    this.#windowBytes = windowBytes;
    this.#batchBytesMax = Math.min(
      segmentBytes - SEGMENT_HEADER_BYTES,
      windowBytes & -FRAME_ALIGNMENT,
      Math.max(FULL_FRAME_BYTES, Math.min(alignFrame(windowBytes / 4), LOG_COMMIT_BYTES_MAX)),
    );
    this.buffer = Buffer.allocUnsafeSlow(windowBytes + this.#batchBytesMax);
    this.view = viewOf(this.buffer);
    this.readBuffer = this.buffer;
    this.readView = this.view;
    this.#cold = new ColdReader(this.#storage);
    this.#folder = new SegmentFolder(
      this.#storage,
      settings.directory,
      segmentBytes,
      settings.onRetired,
    );
    this.#folder.removeOrphans();
    this.#resume();
    this.#lookAtSpace();
  }

  /** Goes on in the last segment, if it has room: a start takes no space, however full the disk. */
  #resume(): void {
    const last = this.#older.at(-1);
    if (last === undefined || last.end + FRAME_HEADER_BYTES > this.regionBytes) return;
    this.#older.pop();
    this.#current = last;
    this.#file = this.#storage.open(last.path, 'write', last.end);
    this.#placeMemory(last.header.index * this.regionBytes + last.end);
  }

  /** Lays memory over the positions from `position` on, in the current segment. */
  #placeMemory(position: LogPosition): void {
    this.#memoryStart = Math.min(this.#memoryStart, position);
    this.#base = position - (position % this.#windowBytes);
    const segmentStart = position - (position % this.regionBytes);
    this.#segmentLimit = segmentStart + this.regionBytes - this.#base;
    this.#batchStart = position - this.#base;
    this.#openFrame(this.#batchStart);
  }

  // Claiming.

  claim(length: number): number {
    const payload = this.#head + RECORD_HEADER_BYTES;
    const end = payload + length;
    if (end > this.#frameLimit || length < 1) return this.#claimAfterRoom(length);
    this.view.setUint32(this.#head, length, true);
    this.#head = end;
    this.#records++;
    this.claimedPosition = this.#base + payload;
    return payload;
  }

  /** Makes room: opens another frame, before it writes a full batch, or begins a segment. */
  #claimAfterRoom(length: number): number {
    this.#requireOpen();
    const frameBytes = alignFrame(FRAME_HEADER_BYTES + RECORD_HEADER_BYTES + length);
    const fits = length >= 1 && frameBytes <= this.#batchBytesMax;
    assert(fits, 'a record has a byte at least, and fits a batch');
    this.#attempt(() => {
      if (this.#records > 0) this.#sealFrame();
      const batchLimit = this.#batchStart + this.#batchBytesMax;
      if (this.#frameStart + frameBytes > Math.min(batchLimit, this.#segmentLimit)) {
        this.#earlyBytes = this.uncommittedBytes;
        this.#writeBatch();
        if (this.#frameStart + frameBytes > this.#segmentLimit) this.#beginSegment();
      }
    });
    this.#frameLimit = Math.min(
      this.#frameStart + Math.max(frameBytes, this.#frameBytes),
      this.#batchStart + this.#batchBytesMax,
      this.#segmentLimit,
    );
    return this.claim(length);
  }

  get dirty(): boolean {
    return this.#uncovered || this.#records > 0 || this.#frameStart > this.#batchStart;
  }

  get uncommittedBytes(): number {
    const end = this.#records === 0 ? this.#frameStart : this.#head;
    return this.#earlyBytes + end - this.#batchStart;
  }

  // Writing.

  commit(): Promise<void> | undefined {
    if (!this.dirty && this.#syncing.length === 0) return undefined;
    this.#requireOpen();
    this.#attempt(() => {
      this.#writeFrames();
      if (this.#durability.mode === 'fsync') this.#sync();
      else this.#syncIfDue();
    });
    this.#uncovered = false;
    this.#earlyBytes = 0;
    return undefined;
  }

  beginCommit(): void {
    const syncer = this.#syncer;
    if (syncer === undefined || !syncer.ready) {
      void this.commit();
      return;
    }
    assert(this.#syncing.length < COMMITS_UNDER_WAY_MAX, 'so many commits are begun at a time');
    this.#requireOpen();
    this.#attempt(() => this.#writeFrames());
    this.#uncovered = false;
    this.#earlyBytes = 0;
    this.#syncing.push(this.#sequence - 1);
    syncer.begin(this.#file!);
  }

  commitsUnderWay(): number {
    if (this.#syncing.length > 0) this.#attempt(() => this.#noteSynced());
    return this.#syncing.length;
  }

  write(): void {
    this.#requireOpen();
    this.#attempt(() => this.#writeFrames());
    this.#earlyBytes = 0;
  }

  /** Hands what is claimed and not written yet to the operating system. */
  #writeFrames(): void {
    if (this.#records > 0) this.#sealFrame();
    this.#writeBatch();
  }

  /** Completes the open frame, and opens the next one behind it. */
  #sealFrame(): void {
    const segment = this.#current!;
    const start = this.#frameStart;
    const end = alignFrame(this.#head);
    this.buffer.fill(0, this.#head, end);
    sealFrame(
      this.buffer,
      this.view,
      start,
      end,
      segment.header,
      this.#sequence,
      this.#durableSequence,
      this.#records,
    );
    segment.noteFrame(segment.end + start - this.#batchStart);
    const { buffer, view } = this;
    this.#liveDigest?.addFrame(buffer, view, start, end, this.#base + start, this.#records);
    this.#vouchedSequence = this.#durableSequence;
    this.#sequence++;
    this.#openFrame(end);
  }

  /** Opens a frame at `start`. Its limit is found by the first claim. */
  #openFrame(start: number): void {
    this.#frameStart = start;
    this.#head = start + FRAME_HEADER_BYTES;
    this.#frameLimit = NO_FRAME;
    this.#records = 0;
  }

  /** Writes the batch, whose frames are complete. */
  #writeBatch(): void {
    const start = this.#batchStart;
    let end = this.#frameStart;
    if (end === start) return;
    this.#uncovered = true;
    this.#file!.append(this.buffer.subarray(start, end));
    this.#current!.end += end - start;
    if (end >= this.#windowBytes) {
      this.buffer.copy(this.buffer, 0, this.#windowBytes, end);
      this.#base += this.#windowBytes;
      this.#segmentLimit -= this.#windowBytes;
      end -= this.#windowBytes;
    }
    this.#batchStart = end;
    this.#openFrame(end);
  }

  #beginSegment(): void {
    const current = this.#current;
    if (current !== undefined) {
      this.#sync();
      this.#liveDigest?.end(current, this.#sequence);
    }
    const index = this.currentRegion + (current === undefined ? 0 : 1);
    const header: SegmentHeader = {
      segmentBytes: this.regionBytes,
      saltLow: this.#randomWord(),
      saltHigh: this.#randomWord(),
      index,
      firstSequence: this.#sequence,
      durableSequence: this.#durableSequence,
    };
    const { segment, file } = this.#folder.begin(header);
    if (current !== undefined) this.#older.push(current);
    this.#file?.close();
    this.#file = file;
    this.#current = segment;
    this.#liveDigest?.begin(segment);
    this.#placeMemory(index * this.regionBytes + SEGMENT_HEADER_BYTES);
    this.#lookAtSpace();
    this.#onRotate(this.#folder.spares);
  }

  #sync(): void {
    if (this.#syncing.length > 0) {
      this.#syncer!.drain();
      this.#noteSynced();
    }
    if (this.#durableSequence === this.#sequence - 1) return;
    this.#file!.sync();
    this.#noteDurable(this.#sequence - 1);
  }

  /** Takes note of the syncs that are done. */
  #noteSynced(): void {
    const outstanding = this.#syncer!.outstanding();
    while (this.#syncing.length > outstanding) this.#noteDurable(this.#syncing.shift()!);
  }

  #noteDurable(sequence: number): void {
    this.#durableSequence = sequence;
    this.#syncedAt = this.#clock();
  }

  get idleBy(): number {
    const durability = this.#durability;
    // A frame that only says what is durable needs no sync of its own.
    const last =
      this.#sequence - 1 === this.#markSequence ? this.#sequence - 2 : this.#sequence - 1;
    const unsynced = durability.mode === 'interval' && this.#durableSequence < last;
    return unsynced ? this.#syncedAt + durability.intervalMs : Number.POSITIVE_INFINITY;
  }

  #syncIfDue(): void {
    if (this.#clock() >= this.idleBy) this.#sync();
  }

  // Failing.

  #requireOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Does `work`, which writes. Whatever it throws closes the log for good, but for a full disk
   *  found before anything was written. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'CAPSTAN_DISK_FULL') {
        this.spaceLow = true;
        throw error;
      }
      const { directory } = this.#folder;
      const detail = `Writing to the log in ${directory} failed; it takes nothing more.`;
      this.#fail(new BrokerError('CAPSTAN_LOG_WRITE_FAILED', detail, { cause: error }));
      throw this.#failure;
    }
  }

  #fail(failure: BrokerError): void {
    this.#failure = failure;
    // Its file is not closed under a sync.
    this.#syncer?.close();
    this.#frameLimit = NO_FRAME;
    this.#cold.close();
    this.#file?.close();
    this.#file = undefined;
  }

  // Reading.

  read(position: LogPosition, length: number): void {
    const oldestInMemory = Math.max(this.#memoryStart, this.#base + this.#head - this.#windowBytes);
    if (position >= oldestInMemory) {
      const offset = position - this.#base;
      this.readBuffer = this.buffer;
      this.readView = this.view;
      this.readOffset = offset < 0 ? offset + this.#windowBytes : offset;
      return;
    }
    const segment = this.#segmentOf(Math.floor(position / this.regionBytes));
    this.#cold.read(segment, position % this.regionBytes, length);
    this.readBuffer = this.#cold.buffer;
    this.readView = this.#cold.view;
    this.readOffset = this.#cold.offset;
  }

  scan(position: LogPosition, bytesMax: number, handler: ReplayHandler): LogPosition | undefined {
    const segment = this.#segmentOf(Math.floor(position / this.regionBytes));
    const from = Math.max(position % this.regionBytes, SEGMENT_HEADER_BYTES);
    this.#scanner ??= new FrameReader(SCAN_BYTES);
    const reader = this.#scanner;
    const file = this.#storage.open(segment.path, 'read');
    try {
      reader.open(file, segment.header, from, segment.end, bytesMax);
      while (reader.offset - from < bytesMax && reader.next()) reader.forEachRecord(handler);
    } finally {
      file.close();
    }
    if (reader.offset === segment.end) return undefined;
    if (reader.offset - from >= bytesMax)
      return position - (position % this.regionBytes) + reader.offset;
    const what = 'a frame that was sound before is damaged now';
    throw new CorruptionError({ file: segment.path, offset: reader.offset, what });
  }

  #segmentOf(region: number): Segment {
    const segment =
      region === this.#current?.header.index
        ? this.#current
        : this.#older[region - this.firstRegion];
    assert(segment !== undefined, 'the log is asked for what it holds');
    return segment;
  }

  // Regions.

  get firstRegion(): number {
    return this.#older[0]?.header.index ?? this.currentRegion;
  }

  get currentRegion(): number {
    if (this.#current !== undefined) return this.#current.header.index;
    const last = this.#older.at(-1);
    return last === undefined ? 0 : last.header.index + 1;
  }

  get storedBytes(): number {
    const segments = this.#older.length + (this.#current === undefined ? 0 : 1);
    return (segments + this.#folder.spares) * this.regionBytes;
  }

  release(region: number): void {
    this.#requireOpen();
    this.#attempt(() => {
      this.#writeFrames();
      // What replaces the records given up is on disk first, whatever the durability in force.
      if (this.#current !== undefined) this.#sync();
      // The last one stays until there is a next: the sequence goes on from it.
      const kept = this.#current === undefined ? 1 : 0;
      while (this.#older.length > kept && this.#older[0]!.header.index < region) {
        const segment = this.#older.shift()!;
        this.#cold.forget(segment);
        this.#folder.retire(segment);
      }
    });
    this.#lookAtSpace();
  }

  // Time.

  idle(_now: number): void {
    if (this.#failure !== undefined) return;
    this.#attempt(() => {
      this.#syncIfDue();
      this.#vouch();
    });
    this.#lookAtSpace();
  }

  /** Once it is quiet, writes a frame without records: it says that those before it are on disk, so
   *  that damage to the last of them is not taken for a torn write. */
  #vouch(): void {
    const quiet = this.#sequence === this.#sequenceAtLastIdle;
    this.#sequenceAtLastIdle = this.#sequence;
    if (quiet) this.#writeMark();
  }

  #writeMark(): void {
    const last = this.#sequence - 1;
    const worthwhile = this.#vouchedSequence < this.#durableSequence;
    if (!worthwhile || this.#durableSequence !== last || last === this.#markSequence) return;
    const hasRoom = this.#frameStart + FRAME_HEADER_BYTES <= this.#segmentLimit;
    if (this.#records > 0 || !hasRoom) return;
    this.#markSequence = this.#sequence;
    const uncovered = this.#uncovered;
    this.#sealFrame();
    this.#writeBatch();
    this.#uncovered = uncovered;
  }

  /** New messages are refused unless there is a segment left after the current one. */
  #lookAtSpace(): void {
    const wanted = this.#current === undefined ? 2 : 1;
    this.spaceLow = this.#folder.segmentsLeft() < wanted;
  }

  async close(): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#attempt(() => {
      this.#writeFrames();
      if (this.#current !== undefined) {
        this.#sync();
        this.#writeMark();
      }
    });
    this.#fail(new BrokerError('CAPSTAN_CLOSED', 'The log is closed.'));
  }
}
