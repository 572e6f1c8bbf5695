/* Finds what a log's directory holds: reads every segment in order, checks every frame, hands every
 * record on, and judges the place where the frames break off. Owned by the thread that opens the
 * log.
 *
 * Invariants: no record is skipped. What is handed on is on disk when recovery returns. Nothing is
 * cut that a later frame says was on disk, and nothing is cut without a remark. */

import { BrokerError } from '../../base/errors.ts';
import type { ReplayHandler } from '../log.ts';
import { FrameReader } from './frame-reader.ts';
import { NO_REST, type Rest, searchRest } from './frame-search.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './record.ts';
import { corruption, listLog, Segment, segmentFileName } from './segment.ts';
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
  return new Recovery(storage, segments, replay).run();
}

/** Reads and checks the headers of all segments of a log. */
export function openSegments(storage: Storage, directory: string): Segment[] {
  const segments: Segment[] = [];
  for (const index of listLog(storage, directory).segments) {
    const segment = new Segment(readHeader(storage, directory, index), directory);
    const first = segments[0]?.header ?? segment.header;
    const file = segment.path;
    if (segment.header.index !== index) {
      const what = `the header is of segment ${segment.header.index}`;
      throw corruption({ file, offset: 0, what });
    }
    if (segment.header.segmentBytes !== first.segmentBytes) {
      throw corruption({ file, offset: 0, what: 'the size differs from that of other segments' });
    }
    if (index !== first.index + segments.length) {
      const missing = segmentFileName(first.index + segments.length);
      throw corruption({ file, offset: 0, what: `the segment before it, ${missing}, is missing` });
    }
    segments.push(segment);
  }
  return segments;
}

function readHeader(storage: Storage, directory: string, index: number): SegmentHeader {
  const path = `${directory}/${segmentFileName(index)}`;
  const file = storage.open(path, 'read');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const length = file.read(bytes, 0, bytes.length, 0);
    const header = decodeSegmentHeader(bytes.subarray(0, length));
    if (header === 'newer') {
      throw new BrokerError('CAPSTAN_FORMAT_UNSUPPORTED', `${path} is of a later format.`);
    }
    if (header === 'damaged') {
      throw corruption({ file: path, offset: 0, what: "the segment's header is damaged" });
    }
    // A segment has its full size on disk before it has its name: no crash makes it shorter.
    if (file.size() < header.segmentBytes) {
      const what = `the file ends here; a segment has ${header.segmentBytes} bytes`;
      throw corruption({ file: path, offset: file.size(), what });
    }
    return header;
  } finally {
    file.close();
  }
}

type Verdict = 'accept' | 'truncate' | 'refuse';

const ANY = undefined;

/** What is to be done where the frames of a segment break off. The first row that fits counts. */
const VERDICTS: readonly (readonly [
  name: string,
  next: 'continues' | 'skips' | 'none',
  vouched: boolean | undefined,
  remains: boolean | undefined,
  verdict: Verdict,
])[] = [
  // name        next segment  vouched  remains  verdict
  ['sealed', /*  */ 'continues', ANY, ANY, 'accept'], // What lies behind was cut by an earlier start.
  ['gap', /*     */ 'skips', ANY, ANY, 'refuse'], // A segment is on disk whole before the next.
  ['end', /*     */ 'none', false, false, 'accept'],
  ['torn', /*    */ 'none', false, true, 'truncate'], // A write that no sync had covered.
  ['rot', /*     */ 'none', true, ANY, 'refuse'], // A later frame says that this one was on disk.
];

class Recovery {
  readonly #storage: Storage;
  readonly #segments: Segment[];
  readonly #replay: ReplayHandler;
  readonly #reader: FrameReader;
  #nextSequence: number;
  #frames = 0;
  #records = 0;
  #bytes = 0;
  #remark: string | undefined;

  constructor(storage: Storage, segments: Segment[], replay: ReplayHandler) {
    this.#storage = storage;
    this.#segments = segments;
    this.#replay = replay;
    this.#reader = new FrameReader(segments.length === 0 ? 0 : READ_BYTES);
    this.#nextSequence = segments[0]?.header.firstSequence ?? 1;
  }

  run(): RecoveredLog {
    this.#segments.forEach((segment, at) => this.#readSegment(segment, this.#segments[at + 1]));
    return {
      segments: this.#segments,
      nextSequence: this.#nextSequence,
      report: {
        remark: this.#remark,
        segments: this.#segments.length,
        frames: this.#frames,
        records: this.#records,
        bytes: this.#bytes,
      },
    };
  }

  #readSegment(segment: Segment, next: Segment | undefined): void {
    const file = this.#storage.open(segment.path, next === undefined ? 'write' : 'read');
    try {
      const unproven = this.#readFrames(file, segment, next?.header.firstSequence ?? Infinity);
      this.#judge(file, segment, next);
      if (next === undefined) putOnDisk(file, unproven, segment.end);
    } finally {
      file.close();
    }
  }

  /** Returns the offset of the first frame of which no other says that it is on disk. */
  #readFrames(file: StorageFile, segment: Segment, endSequence: number): number {
    const { header, path } = segment;
    const reader = this.#reader;
    const proofs = new Proofs();
    reader.open(file, header, SEGMENT_HEADER_BYTES, header.segmentBytes);
    while (this.#nextSequence < endSequence && reader.next()) {
      if (reader.sequence !== this.#nextSequence) break;
      const { frameOffset } = reader;
      if (!reader.forEachRecord(this.#replay)) {
        throw corruption({ file: path, offset: frameOffset, what: 'records overrun their frame' });
      }
      segment.noteFrame(frameOffset);
      segment.end = reader.offset;
      proofs.note(reader.sequence, frameOffset, reader.durableSequence);
      this.#nextSequence++;
      this.#frames++;
      this.#records += reader.records;
      this.#bytes += reader.frameBytes;
    }
    return proofs.firstUnproven ?? segment.end;
  }

  #judge(file: StorageFile, segment: Segment, next: Segment | undefined): void {
    const missing = this.#nextSequence;
    const step = stepTo(next, missing);
    const rest = step === 'none' ? searchRest(file, segment.header, segment.end, missing) : NO_REST;
    const row = VERDICTS.find(
      ([, nextSegment, vouched, remains]) =>
        nextSegment === step &&
        (vouched ?? rest.vouched) === rest.vouched &&
        (remains ?? rest.remains) === rest.remains,
    );
    const verdict = row![4];
    if (verdict === 'refuse') {
      const what = `frame ${missing} is missing or damaged, and later ones say it was on disk`;
      throw corruption({ file: segment.path, offset: segment.end, what });
    }
    if (verdict === 'truncate') this.#remark = tornTail(segment, rest);
  }
}

function stepTo(next: Segment | undefined, missing: number): 'continues' | 'skips' | 'none' {
  if (next === undefined) return 'none';
  return next.header.firstSequence === missing ? 'continues' : 'skips';
}

function tornTail({ path, end }: Segment, rest: Rest): string {
  const later = rest.laterFrames === 0 ? '' : ` with ${rest.laterFrames} whole frames behind it`;
  return (
    `${path}, offset ${end}: cut a torn write of ${rest.remainsEnd - end} bytes or more${later}; ` +
    'it was never acknowledged as on disk.'
  );
}

/** Which frames of a segment a later frame has proven to be on disk. */
class Proofs {
  #sequences: number[] = [];
  #offsets: number[] = [];
  #first = 0;

  note(sequence: number, offset: number, durableSequence: number): void {
    this.#sequences.push(sequence);
    this.#offsets.push(offset);
    while (this.#sequences[this.#first]! <= durableSequence) this.#first++;
  }

  get firstUnproven(): number | undefined {
    return this.#offsets[this.#first];
  }
}

/** Makes sure of the bytes from `offset` up to `end`. They are written anew before the sync: after a
 *  sync that failed, the operating system may hold them for written although they are not. */
function putOnDisk(file: StorageFile, offset: number, end: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, end - offset));
  for (let at = offset; at < end; at += chunk.length) {
    const bytes = file.read(chunk, 0, Math.min(chunk.length, end - at), at);
    file.writeAt(chunk.subarray(0, bytes), at);
  }
  file.sync();
}
