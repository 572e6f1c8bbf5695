/* Finds what a log's directory holds: walks over every segment in order, hands every record on, and
 * makes sure that it is on disk. Owned by the thread that opens the log.
 *
 * Invariants: what is handed on is on disk when recovery returns. Nothing is cut without a remark.
 * What is cut can never be taken for a frame again. */

import type { ReplayHandler } from '../log.ts';
import { DigestReader } from './digest.ts';
import { FrameReader } from './frame-reader.ts';
import { defuseRest, NO_REST } from './frame-search.ts';
import { openSegments } from './open-segments.ts';
import { SEGMENT_HEADER_BYTES } from './record.ts';
import type { Segment } from './segment.ts';
import { type SegmentWalk, tornTail, walkSegment } from './segment-walk.ts';
import type { Storage, StorageFile } from './storage.ts';

export interface RecoveryReport {
  /** One line on what was found, when it was remarkable. */
  readonly remark: string | undefined;
  readonly segments: number;
  /** Segments of which the digest was read instead. */
  readonly digests: number;
  readonly frames: number;
  readonly records: number;
  /** Of frames, headers included. */
  readonly bytes: number;
}

/** How recovery is done. */
export interface RecoveryOptions {
  readonly storage: Storage;
  readonly directory: string;
  /** Digests of this content are taken instead of their segments; none when left out. */
  readonly digestContentVersion?: number | undefined;
}

export interface RecoveredLog {
  /** The oldest first; none in a new log. */
  readonly segments: Segment[];
  /** That of the next frame. */
  readonly nextSequence: number;
  readonly report: RecoveryReport;
}

/** What was read is still in the processor's cache when it is checked and taken apart. */
const READ_BYTES = 256 * 1024;

/** Throws CAPSTAN_LOG_CORRUPT, CAPSTAN_FORMAT_UNSUPPORTED, and what the storage throws. */
export function recoverLog(options: RecoveryOptions, replay: ReplayHandler): RecoveredLog {
  const { storage, directory, digestContentVersion: version } = options;
  const digests = version === undefined ? undefined : new DigestReader(storage, directory, version);
  const segments = openSegments(storage, directory);
  // The names that were found may be with the operating system alone.
  if (segments.length > 0) storage.syncDirectory(directory);
  const found = { segments: segments.length, digests: 0, frames: 0, records: 0, bytes: 0 };
  let nextSequence = 1;
  let remark: string | undefined;
  const segmentBytes = segments[0]?.header.segmentBytes ?? 0;
  const reader = new FrameReader(Math.min(READ_BYTES, segmentBytes));
  segments.forEach((segment, at) => {
    const next = segments[at + 1];
    const digest = next && replayDigest(digests, segment, next, replay);
    const walk = digest ?? recoverSegment(storage, reader, segment, next, replay);
    nextSequence = walk.nextSequence;
    if (digest !== undefined) found.digests++;
    if (walk.verdict === 'truncate') remark = tornTail(segment, walk);
    found.frames += walk.frames;
    found.records += walk.records;
    found.bytes += walk.bytes;
  });
  return { segments, nextSequence, report: { remark, ...found } };
}

function replayDigest(
  digests: DigestReader | undefined,
  segment: Segment,
  next: Segment,
  replay: ReplayHandler,
): SegmentWalk | undefined {
  const digest = digests?.replay(segment, next, replay);
  if (digest === undefined) return undefined;
  return {
    nextSequence: digest.endSequence,
    frames: digest.endSequence - segment.header.firstSequence,
    records: digest.records,
    bytes: segment.end - SEGMENT_HEADER_BYTES,
    unproven: segment.end,
    verdict: 'accept',
    rest: NO_REST,
  };
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
    if (walk.verdict === 'truncate') defuseRest(file, segment.header, segment.end);
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
