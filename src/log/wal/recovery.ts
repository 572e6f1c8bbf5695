/* Finds what a log's directory holds: walks over every segment in order, hands every record on, and
 * makes sure that it is on disk. Owned by the thread that opens the log.
 *
 * Invariants: what is handed on is on disk when recovery returns. Nothing is cut without a remark.
 * Nothing is written but what was there: a torn tail stays where it is, and the next segment's
 * header says that the log goes on without it. */

import { join } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import type { ReplayHandler } from '../log.ts';
import { FrameReader } from './frame-reader.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './record.ts';
import { CorruptionError, listLog, Segment, segmentFileName } from './segment.ts';
import { type SegmentWalk, walkSegment } from './segment-walk.ts';
import type { Storage, StorageFile } from './storage.ts';

export interface RecoveryReport {
  /** One line on what was found, when it was remarkable. */
  readonly remark: string | undefined;
  readonly segments: number;
  readonly frames: number;
  readonly records: number;
  /** Of frames, headers included. */
  readonly bytes: number;
}

export interface RecoveredLog {
  /** The oldest first; none in a new log. */
  readonly segments: Segment[];
  /** That of the next frame. */
  readonly nextSequence: number;
  readonly report: RecoveryReport;
}

const READ_BYTES = 1024 * 1024;

/** Throws CAPSTAN_LOG_CORRUPT, CAPSTAN_FORMAT_UNSUPPORTED, and what `storage` throws. */
export function recoverLog(
  storage: Storage,
  directory: string,
  replay: ReplayHandler,
): RecoveredLog {
  const segments = openSegments(storage, directory);
  let nextSequence = 1;
  let remark: string | undefined;
  let frames = 0;
  let records = 0;
  let bytes = 0;
  const reader = segments.length > 0 ? new FrameReader(READ_BYTES) : undefined;
  segments.forEach((segment, at) => {
    const walk = recoverSegment(storage, reader!, segment, segments[at + 1], replay);
    nextSequence = walk.nextSequence;
    if (walk.verdict === 'truncate') remark = tornTail(segment, walk);
    frames += walk.frames;
    records += walk.records;
    bytes += walk.bytes;
  });
  const report = { remark, segments: segments.length, frames, records, bytes };
  return { segments, nextSequence, report };
}

function recoverSegment(
  storage: Storage,
  reader: FrameReader,
  segment: Segment,
  next: Segment | undefined,
  replay: ReplayHandler,
): SegmentWalk {
  const file = storage.open(segment.path, next === undefined ? 'write' : 'read');
  try {
    const walk = walkSegment(reader, file, segment, next, replay);
    if (next === undefined) putOnDisk(file, walk.unproven, segment.end);
    return walk;
  } finally {
    file.close();
  }
}

/** Makes sure of the bytes from `offset` up to `end`. They are written anew before the sync: after
 *  a sync that failed, the operating system may hold them for written although they are not. */
function putOnDisk(file: StorageFile, offset: number, end: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, end - offset));
  for (let at = offset; at < end; at += chunk.length) {
    const bytes = file.read(chunk, 0, Math.min(chunk.length, end - at), at);
    file.writeAt(chunk.subarray(0, bytes), at);
  }
  file.sync();
}

/** One line on a torn tail. */
export function tornTail({ path, end }: Segment, { rest, nextSequence }: SegmentWalk): string {
  const bytes = rest.remainsEnd - end;
  const later = rest.laterFrames === 0 ? '' : `, ${rest.laterFrames} whole frames among them`;
  return (
    `${path}, offset ${end}: the log ends before frame ${nextSequence}, which was torn as it was ` +
    `written and never acknowledged as on disk; ${bytes} bytes or more are cut${later}.`
  );
}

/** Reads and checks the headers of the segments of a log; of those from `first` to `last`. */
export function openSegments(
  storage: Storage,
  directory: string,
  first = 0,
  last = Number.POSITIVE_INFINITY,
): Segment[] {
  const segments: Segment[] = [];
  for (const index of listLog(storage, directory).segments) {
    if (index < first || index > last) continue;
    const segment = new Segment(readHeader(storage, directory, index), directory);
    const what = misfit(segment.header, index, segments);
    const file = join(directory, segmentFileName(index));
    if (what !== undefined) throw new CorruptionError({ file, offset: 0, what });
    segments.push(segment);
  }
  return segments;
}

/** What is wrong about a segment that has the name of `index` and comes behind `earlier`. */
function misfit(header: SegmentHeader, index: number, earlier: Segment[]): string | undefined {
  if (header.index !== index) return `the header is of segment ${header.index}`;
  const last = earlier.at(-1)?.header;
  if (last === undefined) return undefined;
  if (index !== last.index + 1) return `${segmentFileName(last.index + 1)} before it is missing`;
  if (header.segmentBytes !== last.segmentBytes) return 'the size differs from earlier segments';
  return undefined;
}

function readHeader(storage: Storage, directory: string, index: number): SegmentHeader {
  const path = join(directory, segmentFileName(index));
  const file = storage.open(path, 'read');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const length = file.read(bytes, 0, bytes.length, 0);
    const header = decodeSegmentHeader(bytes.subarray(0, length));
    if (header === 'newer') {
      throw new BrokerError('CAPSTAN_FORMAT_UNSUPPORTED', `${path} is of a later format.`);
    }
    if (header === 'damaged') {
      throw new CorruptionError({ file: path, offset: 0, what: "the segment's header is damaged" });
    }
    // A segment has its full size on disk before it has its name: no crash makes it shorter.
    if (file.size() < header.segmentBytes) {
      const what = `the file ends here; it had ${header.segmentBytes} bytes`;
      throw new CorruptionError({ file: path, offset: file.size(), what });
    }
    return header;
  } finally {
    file.close();
  }
}
