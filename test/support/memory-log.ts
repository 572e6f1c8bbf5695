/* A log in memory, for tests: storage that outlives the logs opened on it, as a disk does. A test
 * decides when commits end and which of them fail. */

import { BrokerError } from '../../src/base/errors.ts';
import { FRAME_BYTES_MAX } from '../../src/base/limits.ts';
import type { Log, LogPosition, ReplayHandler } from '../../src/log/log.ts';

interface StoredRecord {
  readonly position: LogPosition;
  readonly bytes: Buffer;
}

/** What is on the disk, and how the disk behaves. */
export class MemoryStorage {
  readonly regionBytes: number;
  records: StoredRecord[] = [];
  firstRegion = 0;
  /** Fails the next commit; true: what it was to write reaches the disk nevertheless. */
  failNextCommit: { readonly reachesDisk: boolean } | undefined;
  /** Refuses every claim. */
  full = false;
  /** Commits end when `endCommits` is called, and not before. */
  holdCommits = false;
  commits = 0;
  /** Called after each commit that has reached the disk. */
  onCommitted: () => void = () => {};
  #held: (() => void)[] = [];

  constructor(regionBytes = 1024 * 1024) {
    this.regionBytes = regionBytes;
  }

  get endPosition(): LogPosition {
    const last = this.records.at(-1);
    return last === undefined ? 0 : last.position + last.bytes.length;
  }

  get storedRecordBytes(): number {
    return this.records.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  hold(end: () => void): void {
    this.#held.push(end);
  }

  endCommits(): void {
    for (const end of this.#held.splice(0)) end();
  }

  /** Opens a log on this storage, as after a crash: what was not committed is gone. */
  open(replay: ReplayHandler): MemoryLog {
    this.#held = [];
    for (const { bytes, position } of this.records) lend(replay, bytes, position);
    return new MemoryLog(this);
  }
}

/** Calls `handler` with bytes that do not start at offset 0, as a real log's would not. */
function lend(handler: ReplayHandler, bytes: Buffer, position: LogPosition): void {
  const buffer = Buffer.concat([Buffer.alloc(3, 0xee), bytes, Buffer.alloc(3, 0xee)]);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  handler(buffer, view, 3, bytes.length, position);
  buffer.fill(0xdd); // Lent for the length of the call.
}

export class MemoryLog implements Log {
  buffer: Buffer = Buffer.alloc(64 * 1024);
  view: DataView = viewOf(this.buffer);
  claimedPosition: LogPosition = 0;
  readBuffer: Buffer = this.buffer;
  readView: DataView = this.view;
  readOffset = 0;
  closed = false;
  readonly spaceLow = false;
  readonly #storage: MemoryStorage;
  /** Claimed; their bytes are in `buffer` until the next call. */
  #batch: { position: LogPosition; offset: number; length: number; bytes?: Buffer }[] = [];
  #nextPosition: LogPosition;

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
    this.#nextPosition = storage.endPosition;
  }

  claim(length: number): number {
    if (this.closed) throw new BrokerError('CAPSTAN_LOG_WRITE_FAILED', 'The log is closed.');
    if (length < 1 || length > FRAME_BYTES_MAX) throw new RangeError(`claim of ${length} bytes`);
    if (this.#storage.full) throw new BrokerError('CAPSTAN_DISK_FULL', 'The disk is full.');
    this.#keepLast();
    if (length > this.buffer.length) {
      this.buffer = Buffer.alloc(length);
      this.view = viewOf(this.buffer);
    }
    const { regionBytes } = this.#storage;
    const left = regionBytes - (this.#nextPosition % regionBytes);
    if (length > left && length <= regionBytes) this.#nextPosition += left;
    this.claimedPosition = this.#nextPosition;
    this.#nextPosition += length;
    this.#batch.push({ position: this.claimedPosition, offset: 0, length });
    return 0;
  }

  #keepLast(): void {
    const last = this.#batch.at(-1);
    if (last !== undefined) last.bytes ??= Buffer.from(this.buffer.subarray(0, last.length));
  }

  get dirty(): boolean {
    return this.#batch.length > 0;
  }

  get uncommittedBytes(): number {
    return this.#batch.reduce((sum, { length }) => sum + length, 0);
  }

  readonly idleBy = Number.POSITIVE_INFINITY;

  idle(): void {}

  commit(): Promise<void> | undefined {
    this.#keepLast();
    const storage = this.#storage;
    const records = this.#batch.map(({ position, bytes }) => ({ position, bytes: bytes! }));
    this.#batch = [];
    storage.commits++;
    const { failNextCommit } = storage;
    storage.failNextCommit = undefined;
    if (failNextCommit !== undefined) {
      if (failNextCommit.reachesDisk) storage.records.push(...records);
      this.closed = true;
      throw new BrokerError('CAPSTAN_LOG_WRITE_FAILED', 'A commit was made to fail.');
    }
    if (!storage.holdCommits) {
      storage.records.push(...records);
      storage.onCommitted();
      return undefined;
    }
    return new Promise((resolve) => {
      storage.hold(() => {
        storage.records.push(...records);
        storage.onCommitted();
        resolve();
      });
    });
  }

  beginCommit(): void {
    void this.commit();
  }

  commitsUnderWay(): number {
    return 0;
  }

  write(): void {
    this.#keepLast();
  }

  read(position: LogPosition, length: number): void {
    const record = this.#storage.records.find(
      (candidate) =>
        candidate.position <= position &&
        position + length <= candidate.position + candidate.bytes.length,
    );
    if (record === undefined) throw new RangeError(`nothing is held at ${position}`);
    this.readBuffer = record.bytes;
    this.readView = viewOf(record.bytes);
    this.readOffset = position - record.position;
  }

  get regionBytes(): number {
    return this.#storage.regionBytes;
  }

  get firstRegion(): number {
    return this.#storage.firstRegion;
  }

  get currentRegion(): number {
    return Math.floor(this.#nextPosition / this.#storage.regionBytes);
  }

  get storedBytes(): number {
    return (this.currentRegion - this.firstRegion + 1) * this.regionBytes;
  }

  scan(from: LogPosition, _bytesMax: number, handler: ReplayHandler): undefined {
    const region = Math.floor(from / this.regionBytes);
    for (const { bytes, position } of this.#storage.records) {
      if (Math.floor(position / this.regionBytes) === region) lend(handler, bytes, position);
    }
  }

  release(region: number): void {
    const storage = this.#storage;
    storage.firstRegion = region;
    storage.records = storage.records.filter(
      ({ position }) => Math.floor(position / storage.regionBytes) >= region,
    );
  }

  async close(): Promise<void> {
    await this.commit();
    this.closed = true;
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}
