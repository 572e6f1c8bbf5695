/* Copies a data folder whose server may be running: behind `capstan backup`. Takes nothing from
 * the server, and needs nothing of it. Any thread; blocks it.
 *
 * What makes a copy of changing files a consistent one: a log only grows at its end, so every
 * prefix of it is a state that a crash could have left. Each log's copy is such a prefix, taken
 * after the copy began. Segments are copied oldest first; one that is given up meanwhile lives
 * on behind it, because its messages were on disk further on before it went, so copying goes on
 * from what is there now. What one log hands over to another meanwhile is in the copy of one of
 * them only if the other was copied later: FIFO messages that a redrive carries to another
 * partition during the copy may be missing. The catalog is copied last: its queues may have no
 * messages yet, but no partition has a message of a queue that the catalog has still to create.
 *
 * Invariant: a copy is judged by its own bytes, after it was made. `capstan.json` comes last, so
 * that a copy that was broken off is refused. */

import * as fs from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import {
  catalogDirectory,
  partitionDirectory,
  readMetadata,
  writeMetadata,
} from './data-folder.ts';
import { FrameReader } from './frame-reader.ts';
import { openSegments } from './open-segments.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './record.ts';
import { CorruptionError, listLog, type Segment, segmentFileName } from './segment.ts';
import { isMissing, NODE_STORAGE } from './storage.ts';

const READ_BYTES = 1024 * 1024;
/** A look at a folder that changes meanwhile may be a wrong one; so many in a row are not. */
const LOOKS_MAX = 5;

export interface BackupReport {
  readonly logs: number;
  readonly segments: number;
  /** Of frames, headers included. */
  readonly bytes: number;
}

/** Called after each segment. */
export type BackupProgress = (file: string, segmentsDone: number) => void;

/** Copies the data folder `source` to `target`, which must not exist, or be empty.
 *  Everything acknowledged before the call is in the copy, which is on disk when this returns.
 *  Throws CAPSTAN_INVALID_ARGUMENT, CAPSTAN_LOG_CORRUPT, and the system's errors. */
export function backupFolder(
  source: string,
  target: string,
  onProgress: BackupProgress = () => {},
): BackupReport {
  const [from, to] = [resolve(source), resolve(target)];
  const metadata = readMetadata(requireFolder(from));
  if (metadata === undefined) throw invalid(`${from} is no data folder.`);
  requireEmpty(to);
  NODE_STORAGE.makeDirectory(to);
  const copier = new LogCopier(onProgress);
  for (let partition = 0; partition < metadata.partitions; partition++) {
    const { layout } = metadata;
    copier.copy(
      partitionDirectory(from, partition, layout),
      partitionDirectory(to, partition, layout),
    );
  }
  copier.copy(catalogDirectory(from), catalogDirectory(to));
  writeMetadata(to, metadata);
  return { logs: metadata.partitions + 1, segments: copier.segments, bytes: copier.bytes };
}

function requireFolder(path: string): string {
  if (fs.existsSync(path)) return path;
  throw invalid(`${path} does not exist.`);
}

function requireEmpty(path: string): void {
  if (!fs.existsSync(path) || fs.readdirSync(path).length === 0) return;
  throw invalid(`${path} is not empty; a backup goes to a folder of its own.`);
}

function invalid(detail: string): BrokerError {
  return new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

class LogCopier {
  segments = 0;
  bytes = 0;
  readonly #onProgress: BackupProgress;
  readonly #reader = new FrameReader(READ_BYTES);

  constructor(onProgress: BackupProgress) {
    this.#onProgress = onProgress;
  }

  copy(from: string, to: string): void {
    NODE_STORAGE.makeDirectory(to);
    // By index: bytes of frames in each copied segment.
    const done = new Map<number, number>();
    while (!this.#copyFrom(from, to, done));
    NODE_STORAGE.syncDirectory(to);
    this.segments += done.size;
    for (const bytes of done.values()) this.bytes += bytes;
  }

  /** One pass over the segments that are there. False when one was given up meanwhile. */
  #copyFrom(from: string, to: string, done: Map<number, number>): boolean {
    const segments = look(from);
    const first = segments[0]?.header.index ?? Number.POSITIVE_INFINITY;
    for (const index of done.keys()) {
      if (index >= first) continue;
      fs.unlinkSync(join(to, segmentFileName(index)));
      done.delete(index);
    }
    for (const [at, segment] of segments.entries()) {
      const { index } = segment.header;
      if (done.has(index)) continue;
      const bytes = this.#copySegment(segment, segments[at + 1], to);
      if (bytes === undefined) {
        if (isThere(from, index)) throw damaged(segment);
        return false;
      }
      done.set(index, bytes);
      this.#onProgress(segment.path, this.segments + done.size);
    }
    return true;
  }

  /** Returns the bytes of its frames, or undefined when it is not whole: it was given up. */
  #copySegment(segment: Segment, next: Segment | undefined, to: string): number | undefined {
    const { header } = segment;
    const path = join(to, basename(segment.path));
    try {
      fs.copyFileSync(segment.path, path, fs.constants.COPYFILE_FICLONE);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const end = this.#endOfFrames(path, segment, next);
    if (end === undefined) {
      fs.unlinkSync(path);
      return undefined;
    }
    const fd = fs.openSync(path, 'r+');
    try {
      // What follows the frames may be half of a write that went on meanwhile.
      fs.ftruncateSync(fd, end);
      fs.ftruncateSync(fd, header.segmentBytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    return end - SEGMENT_HEADER_BYTES;
  }

  /** Where the frames of the copy at `path` end. Undefined when it is not whole. */
  #endOfFrames(path: string, segment: Segment, next: Segment | undefined): number | undefined {
    const file = NODE_STORAGE.open(path, 'read');
    try {
      const head = Buffer.alloc(SEGMENT_HEADER_BYTES);
      file.read(head, 0, head.length, 0);
      const { header } = segment;
      const copied = decodeSegmentHeader(head);
      const same =
        typeof copied === 'object' &&
        copied.index === header.index &&
        copied.saltLow === header.saltLow &&
        copied.saltHigh === header.saltHigh;
      if (!same) return undefined;
      const endSequence = next?.header.firstSequence ?? Number.POSITIVE_INFINITY;
      const reader = this.#reader;
      reader.open(file, header, SEGMENT_HEADER_BYTES, header.segmentBytes);
      let sequence = header.firstSequence;
      let end = SEGMENT_HEADER_BYTES;
      while (sequence < endSequence && reader.next() && reader.sequence === sequence) {
        sequence++;
        end = reader.offset;
      }
      return next === undefined || sequence === endSequence ? end : undefined;
    } finally {
      file.close();
    }
  }
}

/** The segments that are there. A log that changes during the look is looked at again. */
function look(directory: string): Segment[] {
  // A broker that is starting for the first time makes it with its first record.
  if (!fs.existsSync(directory)) return [];
  for (let looks = 1; ; looks++) {
    try {
      return openSegments(NODE_STORAGE, directory);
    } catch (error) {
      const passing = isMissing(error) || error instanceof CorruptionError;
      if (!passing || looks === LOOKS_MAX) throw error;
    }
  }
}

function isThere(directory: string, index: number): boolean {
  return listLog(NODE_STORAGE, directory).segments.includes(index);
}

function damaged({ path }: Segment): CorruptionError {
  const what = 'its frames break off before those of the next segment begin';
  return new CorruptionError({ file: path, offset: 0, what });
}
