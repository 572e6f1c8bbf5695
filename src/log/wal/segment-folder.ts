/* The files of one log: where the next segment comes from, and where one goes that is given up.
 * Owned by the log's thread; only the making of spares is shared with the maintenance pool.
 *
 * Invariants: a segment's file has its size and its header on disk before it has its name.
 * Segments disappear oldest first, each on disk before the next. */

import { join } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import { encodeSegmentHeader, type SegmentHeader } from './record.ts';
import { listLog, Segment, spareFileName, unfinishedFileName } from './segment.ts';
import { removeDigest, removeOrphanedDigests } from './spares.ts';
import { isDiskFull, isMissing, type Storage, type StorageFile } from './storage.ts';

/** Segments given up that are kept for use; more are removed. */
const SPARES_MAX = 2;

export class SegmentFolder {
  readonly directory: string;
  readonly #storage: Storage;
  readonly #segmentBytes: number;
  readonly #onRetired: (() => void) | undefined;
  /** Names of spares that were there at the last look. */
  #spares: string[] = [];

  /** @param onRetired is called when files are left for the maintenance pool to remove; without
   *    it, they are removed here. */
  constructor(storage: Storage, directory: string, segmentBytes: number, onRetired?: () => void) {
    this.#storage = storage;
    this.directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#onRetired = onRetired;
    this.look();
  }

  /** Looks for spares that others have made. */
  look(): void {
    this.#spares = listLog(this.#storage, this.directory).spares;
  }

  get spares(): number {
    return this.#spares.length;
  }

  /** Segments that can still be begun: the spares, and what free space is good for. The space of
   *  one segment is left to others on the same disk. */
  segmentsLeft(): number {
    if (this.#spares.length === 0) this.look();
    const free = this.#storage.freeBytes(this.directory);
    return this.#spares.length + Math.max(0, Math.floor(free / this.#segmentBytes) - 1);
  }

  /** Begins a segment, on disk when this returns. Throws CAPSTAN_DISK_FULL and changes nothing when
   *  there is no room. */
  begin(header: SegmentHeader): { segment: Segment; file: StorageFile } {
    const segment = new Segment(header, this.directory);
    const tag = (header.index * 2 ** 20 + (header.saltLow % 2 ** 20)).toString(16);
    const { file, path } = this.#takeSpare() ?? this.#makeSpare(spareFileName(tag));
    try {
      file.append(encodeSegmentHeader(header));
      file.sync();
      this.#storage.rename(path, segment.path);
      this.#storage.syncDirectory(this.directory);
    } catch (error) {
      file.close();
      throw diskFullOr(error);
    }
    return { segment, file };
  }

  #takeSpare(): { file: StorageFile; path: string } | undefined {
    if (this.#spares.length === 0) this.look();
    for (let name = this.#spares.pop(); name !== undefined; name = this.#spares.pop()) {
      const path = join(this.directory, name);
      const file = this.#openSpare(path);
      if (file !== undefined) return { file, path };
    }
    return undefined;
  }

  /** Undefined, and the file gone, when it is not of a segment's size. */
  #openSpare(path: string): StorageFile | undefined {
    let file: StorageFile;
    try {
      file = this.#storage.open(path, 'write');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    if (file.size() === this.#segmentBytes) return file;
    file.close();
    this.#storage.remove(path);
    return undefined;
  }

  #makeSpare(name: string): { file: StorageFile; path: string } {
    const path = join(this.directory, name);
    // Trying would fill the disk to the brim first, each time.
    if (this.#storage.freeBytes(this.directory) < this.#segmentBytes) throw diskFull();
    try {
      this.#storage.createZeroed(path, this.#segmentBytes);
    } catch (error) {
      throw diskFullOr(error);
    }
    return { file: this.#storage.open(path, 'write'), path };
  }

  /** Gives up the oldest segment. */
  retire({ header: { index }, path }: Segment): void {
    const tag = index.toString(16);
    if (this.#spares.length < SPARES_MAX) {
      const name = spareFileName(tag);
      this.#storage.rename(path, join(this.directory, name));
      this.#spares.push(name);
    } else if (this.#onRetired === undefined) {
      this.#storage.remove(path);
    } else {
      // Freeing the blocks of a large file takes milliseconds.
      this.#storage.rename(path, join(this.directory, unfinishedFileName(`0${tag}`)));
    }
    this.#storage.syncDirectory(this.directory);
    if (this.#onRetired === undefined) removeDigest(this.#storage, this.directory, index);
    else this.#onRetired();
  }

  /** Removes digests of segments that were given up before a crash. */
  removeOrphans(): void {
    removeOrphanedDigests(this.#storage, this.directory);
  }
}

function diskFull(cause?: unknown): BrokerError {
  return new BrokerError('CAPSTAN_DISK_FULL', 'There is no room for another log segment.', {
    cause,
  });
}

function diskFullOr(error: unknown): unknown {
  return isDiskFull(error) ? diskFull(error) : error;
}
