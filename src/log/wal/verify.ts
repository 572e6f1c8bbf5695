/* Checks logs without opening them: behind `capstan log verify` and `capstan log dump` while the
 * server is down, and behind scrubbing while it runs. Writes nothing. Any thread. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import type { LogPosition } from '../log.ts';
import { catalogDirectory, isDataFolder, partitionDirectory, readMetadata } from './data-folder.ts';
import { requireUnlocked } from './folder-lock.ts';
import { FrameReader } from './frame-reader.ts';
import { openSegments } from './open-segments.ts';
import { CorruptionError, type Damage, listLog, type Segment } from './segment.ts';
import { type SegmentWalk, tornTail, walkSegment } from './segment-walk.ts';
import { isMissing, NODE_STORAGE, type Storage } from './storage.ts';

const READ_BYTES = 1024 * 1024;

export interface LogFindings {
  readonly directory: string;
  readonly segments: number;
  /** All that was read before the first damage. */
  readonly frames: number;
  readonly records: number;
  readonly bytes: number;
  /** A torn write at the end, which the next start will cut. */
  readonly remark: string | undefined;
  /** The first one; nothing behind it was looked at. */
  readonly damage: Damage | undefined;
}

/** Called after each segment. */
export type Progress = (file: string, segment: number, segments: number) => void;

/** Checks all logs of a data folder, or the one in a log's directory.
 *  Throws CAPSTAN_INVALID_ARGUMENT when there are none, CAPSTAN_DATA_FOLDER_LOCKED,
 *  CAPSTAN_FORMAT_UNSUPPORTED. */
export function verifyFolder(path: string, onProgress: Progress = () => {}): LogFindings[] {
  return logDirectories(path).map((each) => verifyLog(NODE_STORAGE, each, onProgress));
}

/** The directories of the logs in `path`: a data folder, or a log's own directory. */
export function logDirectories(path: string): string[] {
  const folder = resolve(path);
  if (isDataFolder(folder)) {
    requireUnlocked(folder);
    const { partitions, layout } = readMetadata(folder)!;
    const all = Array.from({ length: partitions }, (_, i) => partitionDirectory(folder, i, layout));
    return [catalogDirectory(folder), ...all].filter((each) => existsSync(each));
  }
  if (existsSync(folder) && listLog(NODE_STORAGE, folder).segments.length > 0) {
    requireUnlocked(join(folder, '..'));
    return [folder];
  }
  const detail = `${folder} is neither a data folder nor the directory of a log.`;
  throw new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
}

export function verifyLog(
  storage: Storage,
  directory: string,
  onProgress: Progress = () => {},
): LogFindings {
  const findings = { frames: 0, records: 0, bytes: 0, segments: 0 };
  let remark: string | undefined;
  try {
    walkLog(storage, directory, (segment, walk, at, segments) => {
      findings.segments++;
      findings.frames += walk.frames;
      findings.records += walk.records;
      findings.bytes += walk.bytes;
      if (walk.verdict === 'truncate') remark = tornTail(segment, walk);
      onProgress(segment.path, at + 1, segments);
    });
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return { directory, ...findings, remark, damage: error.damage };
  }
  return { directory, ...findings, remark, damage: undefined };
}

function walkLog(
  storage: Storage,
  directory: string,
  onSegment: (segment: Segment, walk: SegmentWalk, at: number, segments: number) => void,
): void {
  const segments = openSegments(storage, directory);
  const reader = new FrameReader(READ_BYTES);
  segments.forEach((segment, at) => {
    const file = storage.open(segment.path, 'read');
    try {
      const walk = walkSegment(reader, file, segment, segments[at + 1], () => {});
      onSegment(segment, walk, at, segments.length);
    } finally {
      file.close();
    }
  });
}

/** What a dump tells, in the order of the file. */
export type DumpLine =
  | { readonly kind: 'segment'; readonly file: string; readonly firstSequence: number }
  | {
      readonly kind: 'frame';
      readonly offset: number;
      readonly bytes: number;
      readonly sequence: number;
      readonly durableSequence: number;
      readonly records: number;
    }
  | {
      readonly kind: 'record';
      readonly position: LogPosition;
      readonly bytes: number;
      /** The first bytes; a copy. */
      readonly head: Buffer;
    };

/** Tells everything that the log in `directory` holds. `headBytes` of each record are shown.
 *  Throws CAPSTAN_LOG_CORRUPT at the first damage. Returns the remark on a torn tail. */
export function dumpLog(
  storage: Storage,
  directory: string,
  headBytes: number,
  onLine: (line: DumpLine) => void,
): string | undefined {
  const segments = openSegments(storage, directory);
  const reader = new FrameReader(READ_BYTES);
  let remark: string | undefined;
  segments.forEach((segment, at) => {
    const { path, header } = segment;
    onLine({ kind: 'segment', file: path, firstSequence: header.firstSequence });
    const file = storage.open(path, 'read');
    try {
      const walk = walkSegment(
        reader,
        file,
        segment,
        segments[at + 1],
        (buffer, _view, offset, bytes, position) => {
          const end = offset + Math.min(bytes, headBytes);
          const head = Buffer.from(buffer.subarray(offset, end));
          onLine({ kind: 'record', position, bytes, head });
        },
        ({ frameOffset, frameBytes, sequence, durableSequence, records }) =>
          onLine({
            kind: 'frame',
            offset: frameOffset,
            bytes: frameBytes,
            sequence,
            durableSequence,
            records,
          }),
      );
      if (walk.verdict === 'truncate') remark = tornTail(segment, walk);
    } finally {
      file.close();
    }
  });
  return remark;
}

/** Checks the cold segment `index` of a log that may be in use: one that another one follows.
 *  Returns its damage. A segment that is given up meanwhile is sound. */
export function scrubSegment(
  storage: Storage,
  directory: string,
  index: number,
): Damage | undefined {
  try {
    const [segment, next] = openSegments(storage, directory, index, index + 1);
    if (segment === undefined || next === undefined) return undefined;
    const file = storage.open(segment.path, 'read');
    try {
      walkSegment(new FrameReader(READ_BYTES), file, segment, next, () => {});
    } finally {
      file.close();
    }
    return undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof CorruptionError) return error.damage;
    throw error;
  }
}
