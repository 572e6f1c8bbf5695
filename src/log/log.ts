/* A partition's log, as the partition sees it. It knows bytes, not messages, and promises no file:
 * the write-ahead log on local disk is one implementation, a replicated log may be another. */

/** Where a record's payload is, for as long as the log holds it. Only grows; compares as time does.
 *  A whole number below 2^53. */
export type LogPosition = number;

/** One record found during replay. `buffer` is lent for the length of the call. */
export type ReplayHandler = (
  buffer: Buffer,
  view: DataView,
  offset: number,
  length: number,
  position: LogPosition,
) => void;

/** One that the disk takes, and one that follows it without a pause. */
export const COMMITS_UNDER_WAY_MAX = 2;

export interface Log {
  /** Memory that `claim` hands out parts of. May be replaced by a later claim: read it anew. */
  readonly buffer: Buffer;
  readonly view: DataView;

  /** Claims `length` contiguous bytes (1 .. FRAME_BYTES_MAX) for one record of the current batch
   *  and returns their offset in `buffer`. The caller fills all of them before the next call.
   *  A record is durable as a whole or not at all.
   *  Throws `CAPSTAN_DISK_FULL` before anything is claimed when there is no room for it. */
  claim(length: number): number;

  /** The position of the record claimed last: that of its first byte. Byte `i` of the record is at
   *  `claimedPosition + i`. */
  readonly claimedPosition: LogPosition;

  /** True while records are claimed that no commit has covered. */
  readonly dirty: boolean;
  /** Bytes claimed that no commit has covered. */
  readonly uncommittedBytes: number;
  /** Storage has too little room left for new messages. What is kept in reserve still takes the
   *  records of receives, deletes and cleaning. */
  readonly spaceLow: boolean;

  /** Makes every record claimed so far durable (as the durability in force has it), also those that
   *  a commit under way covers. An implementation that is done on return returns nothing.
   *  Throws or rejects `CAPSTAN_LOG_WRITE_FAILED`; the log is then closed for good, and its owner
   *  must recover from what is on disk. */
  commit(): Promise<void> | undefined;

  /** Begins a commit of every record claimed so far, and returns. Records may be claimed, read and
   *  written meanwhile; the next commit covers them. It may be begun while one is under way, not
   *  while COMMITS_UNDER_WAY_MAX are. Throws as `commit` does. */
  beginCommit(): void;

  /** How many of the commits begun are not done; they are done in order. An implementation may be
   *  done on the return of `beginCommit`. Throws as `commit` does when the disk has failed. */
  commitsUnderWay(): number;

  /** Hands the records claimed so far to the operating system without waiting for the disk: for
   *  records whose loss in a crash is allowed. The next commit covers them. */
  write(): void;

  /** Finds `length` bytes at `position` (of a record still held): afterwards they are at
   *  `readOffset` in `readBuffer`, until the next call of any method. Bytes that are no longer in
   *  memory are read from storage with read-ahead, so reading in order is cheap.
   *  Throws `CAPSTAN_LOG_CORRUPT` with file and offset when storage returns damaged bytes. */
  read(position: LogPosition, length: number): void;
  readonly readBuffer: Buffer;
  /** All of `readBuffer`. */
  readonly readView: DataView;
  readonly readOffset: number;

  /** Storage is released in whole regions of this many positions: those in which
   *  `floor(position / regionBytes)` is equal. */
  readonly regionBytes: number;
  /** The oldest region held, and the one being written. */
  readonly firstRegion: number;
  readonly currentRegion: number;
  /** Bytes of storage in use, preallocated space included. */
  readonly storedBytes: number;

  /** For quiet moments, and at least every HEARTBEAT_INTERVAL_MS: syncs that are due by the clock,
   *  a look at the space that is left. */
  idle(now: number): void;
  /** When `idle` has something to do at the latest, on the clock that the log was opened with; far
   *  away when there is nothing. */
  readonly idleBy: number;

  /** Calls `handler` for the records of a region, in order, from `position` on: the region's start,
   *  or what an earlier call returned. Takes up about `bytesMax` bytes and returns where to go on,
   *  or undefined at the region's end. For cleaning, a little at a time. */
  scan(position: LogPosition, bytesMax: number, handler: ReplayHandler): LogPosition | undefined;

  /** Gives up every region before `region`. The owner no longer needs any record in them, and has
   *  committed what replaces them. */
  release(region: number): void;

  /** Commits, and closes. The log can be opened again. */
  close(): Promise<void>;
}
