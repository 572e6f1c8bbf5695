/* Digests: beside a segment that is complete, a file with the same records, shortened to what
 * replay needs of them. They make a start cheaper, and nothing else: a digest is bound to its
 * segment and checked as a whole before a record of it is used, and without a sound one the
 * segment is read. FORMAT.md is the norm. Written by the maintenance pool, read by recovery;
 * live-digest.ts gathers one while its segment is written. */

import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { LogPosition, ReplayHandler } from '../log.ts';
import { FrameReader } from './frame-reader.ts';
import { openSegments } from './open-segments.ts';
import { getU53, setU53, viewOf } from './record.ts';
import {
  digestFileName,
  GRAIN_BYTES,
  listLog,
  type Segment,
  segmentFileName,
  unfinishedFileName,
} from './segment.ts';
import { walkSegment } from './segment-walk.ts';
import { isMissing, type Storage } from './storage.ts';

const DIGEST_VERSION = 1;
const DIGEST_HEADER_BYTES = 80;
const ENTRY_HEADER_BYTES = 8;
const MAGIC = Buffer.from('CAPSDIG\n', 'latin1');

const VERSION_AT = 8;
const CONTENT_VERSION_AT = 12;
const SALT_AT = 16;
const INDEX_AT = 24;
const FIRST_SEQUENCE_AT = 32;
const END_SEQUENCE_AT = 40;
const END_OFFSET_AT = 48;
const SEGMENT_RECORDS_AT = 52;
const DIGEST_RECORDS_AT = 56;
const BODY_BYTES_AT = 60;
const BODY_CRC_AT = 68;
const HEADER_CRC_AT = 76;

/** Takes what a digest keeps of one record. */
export interface DigestSink {
  /** Replaced by a later claim: read them anew. */
  readonly buffer: Buffer;
  readonly view: DataView;
  /** Claims the room of what is kept, and returns its offset in `buffer`; all of it is to be
   *  filled. A record is left out unless this is called, and it is called once. */
  claim(length: number): number;
}

/** Keeps what replay needs of a record. Replay will be given that at the record's own position. */
export type DigestRecord = (
  sink: DigestSink,
  buffer: Buffer,
  view: DataView,
  offset: number,
  length: number,
  position: LogPosition,
) => void;

export interface DigestTask {
  readonly directory: string;
  /** That of what `digestRecord` keeps: a digest of another one is not used. */
  readonly contentVersion: number;
  /** The newest ones: in most logs they are given up before a start needs them. */
  readonly segmentsLeftAlone: number;
}

/** Writes the next digest that is missing in a log that may be in use, the oldest first. Returns
 *  its segment's index, or undefined when none is missing.
 *  Throws CAPSTAN_LOG_CORRUPT when the segment is damaged. */
export function writeNextDigest(
  storage: Storage,
  task: DigestTask,
  digestRecord: DigestRecord,
): number | undefined {
  const { directory } = task;
  const { segments, digests } = listLog(storage, directory);
  const eligible = segments.slice(0, -Math.max(1, task.segmentsLeftAlone));
  const index = eligible.find((each) => !digests.includes(each));
  if (index === undefined) return undefined;
  try {
    const [segment, next] = openSegments(storage, directory, index, index + 1);
    if (segment === undefined || next === undefined) return undefined;
    const digest = makeDigest(storage, segment, next, task.contentVersion, digestRecord);
    storeDigest(storage, directory, index, digest);
    return index;
  } catch (error) {
    // Given up meanwhile.
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function makeDigest(
  storage: Storage,
  segment: Segment,
  next: Segment,
  contentVersion: number,
  digestRecord: DigestRecord,
): Buffer {
  const { segmentBytes } = segment.header;
  const writer = new DigestWriter(segmentBytes);
  const file = storage.open(segment.path, 'read');
  const reader = new FrameReader(READ_BYTES);
  let walk: ReturnType<typeof walkSegment>;
  try {
    walk = walkSegment(reader, file, segment, next, (buffer, view, offset, length, position) => {
      writer.segmentOffset = position % segmentBytes;
      digestRecord(writer, buffer, view, offset, length, position);
    });
  } finally {
    file.close();
  }
  return sealDigest(writer, segment, contentVersion, walk.nextSequence, walk.records);
}

/** Completes the digest of a segment of so many records, in which the next one begins with
 *  `endSequence`. */
export function sealDigest(
  writer: DigestWriter,
  segment: Segment,
  contentVersion: number,
  endSequence: number,
  segmentRecords: number,
): Buffer {
  const { header } = segment;
  const digest = writer.content();
  const view = viewOf(digest);
  MAGIC.copy(digest);
  view.setUint32(VERSION_AT, DIGEST_VERSION, true);
  view.setUint32(CONTENT_VERSION_AT, contentVersion, true);
  view.setUint32(SALT_AT, header.saltLow, true);
  view.setUint32(SALT_AT + 4, header.saltHigh, true);
  setU53(view, INDEX_AT, header.index);
  setU53(view, FIRST_SEQUENCE_AT, header.firstSequence);
  setU53(view, END_SEQUENCE_AT, endSequence);
  view.setUint32(END_OFFSET_AT, segment.end, true);
  view.setUint32(SEGMENT_RECORDS_AT, segmentRecords, true);
  view.setUint32(DIGEST_RECORDS_AT, writer.records, true);
  segment.grains.forEach((offset, grain) =>
    view.setUint32(DIGEST_HEADER_BYTES + grain * 4, offset, true),
  );
  const body = digest.subarray(DIGEST_HEADER_BYTES);
  setU53(view, BODY_BYTES_AT, body.length);
  view.setUint32(BODY_CRC_AT, crc32(body), true);
  view.setUint32(HEADER_CRC_AT, crc32(digest.subarray(0, HEADER_CRC_AT)), true);
  return digest;
}

const READ_BYTES = 1024 * 1024;

function grainsBytes(segmentBytes: number): number {
  return Math.ceil(segmentBytes / GRAIN_BYTES) * 4;
}

/** Gathers what a digest keeps of the records of one segment. */
export class DigestWriter implements DigestSink {
  buffer: Buffer;
  view: DataView;
  records = 0;
  /** Where the record at hand begins in its segment. */
  segmentOffset = 0;
  #end: number;

  constructor(segmentBytes: number) {
    const start = DIGEST_HEADER_BYTES + grainsBytes(segmentBytes);
    this.buffer = Buffer.alloc(start + READ_BYTES);
    this.view = viewOf(this.buffer);
    this.#end = start;
  }

  claim(length: number): number {
    const at = this.#end;
    const payload = at + ENTRY_HEADER_BYTES;
    this.#end = payload + length;
    if (this.#end > this.buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#end, this.buffer.length * 2));
      this.buffer.copy(larger);
      this.buffer = larger;
      this.view = viewOf(larger);
    }
    this.view.setUint32(at, this.segmentOffset, true);
    this.view.setUint32(at + 4, length, true);
    this.records++;
    return payload;
  }

  content(): Buffer {
    return this.buffer.subarray(0, this.#end);
  }
}

/** Puts a segment's digest beside it. On disk when this returns, whole or not at all. In the
 *  maintenance pool only. */
export function storeDigest(
  storage: Storage,
  directory: string,
  index: number,
  digest: Buffer,
): void {
  const unfinished = join(directory, unfinishedFileName(`d${index.toString(16)}`));
  const path = join(directory, digestFileName(index));
  // Of a crash before: nobody else makes files of this name.
  if (storage.list(directory).includes(basename(unfinished))) storage.remove(unfinished);
  storage.createZeroed(unfinished, digest.length);
  const file = storage.open(unfinished, 'write');
  try {
    file.writeAt(digest, 0);
    file.sync();
  } finally {
    file.close();
  }
  storage.rename(unfinished, path);
  // The log may have given the segment up before it could see the digest.
  const isGone = !storage.list(directory).includes(segmentFileName(index));
  if (isGone) storage.remove(path);
  storage.syncDirectory(directory);
}

export interface DigestReplay {
  /** Of the segment. */
  readonly endSequence: number;
  readonly records: number;
}

/** Reads the digests of one log, one after the other. */
export class DigestReader {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #contentVersion: number;
  /** Of the one read last: memory that is used for the first time is slow. */
  #memory = Buffer.alloc(0);

  constructor(storage: Storage, directory: string, contentVersion: number) {
    this.#storage = storage;
    this.#directory = directory;
    this.#contentVersion = contentVersion;
  }

  /** Hands the records of a segment's digest to `handler`, whose bytes are lent for the call, and
   *  sets the segment's end and grains. Undefined, and nothing done, when there is no sound digest
   *  of it. */
  replay(segment: Segment, next: Segment, handler: ReplayHandler): DigestReplay | undefined {
    const digest = this.#read(segment.header.index);
    if (digest === undefined || !isOf(digest, segment, next, this.#contentVersion)) {
      return undefined;
    }
    const view = viewOf(digest);
    segment.end = view.getUint32(END_OFFSET_AT, true);
    const { grains, header } = segment;
    for (let grain = 0; grain < grains.length; grain++) {
      grains[grain] = view.getUint32(DIGEST_HEADER_BYTES + grain * 4, true);
    }
    const start = header.index * header.segmentBytes;
    let cursor = DIGEST_HEADER_BYTES + grainsBytes(header.segmentBytes);
    for (let left = view.getUint32(DIGEST_RECORDS_AT, true); left > 0; left--) {
      const position = start + view.getUint32(cursor, true);
      const length = view.getUint32(cursor + 4, true);
      handler(digest, view, cursor + ENTRY_HEADER_BYTES, length, position);
      cursor += ENTRY_HEADER_BYTES + length;
    }
    return {
      endSequence: getU53(view, END_SEQUENCE_AT),
      records: view.getUint32(SEGMENT_RECORDS_AT, true),
    };
  }

  /** Undefined when there is none, or none that is whole. */
  #read(index: number): Buffer | undefined {
    let content: Buffer;
    try {
      content = this.#readWhole(join(this.#directory, digestFileName(index)));
    } catch {
      return undefined; // Not there, or not readable: the segment is.
    }
    return isWhole(content) ? content : undefined;
  }

  #readWhole(path: string): Buffer {
    const file = this.#storage.open(path, 'read');
    try {
      const bytes = file.size();
      if (bytes > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(bytes);
      return this.#memory.subarray(0, file.read(this.#memory, 0, bytes, 0));
    } finally {
      file.close();
    }
  }
}

function isWhole(digest: Buffer): boolean {
  if (digest.length < DIGEST_HEADER_BYTES) return false;
  const view = viewOf(digest);
  const body = digest.subarray(DIGEST_HEADER_BYTES);
  return (
    digest.subarray(0, MAGIC.length).equals(MAGIC) &&
    view.getUint32(HEADER_CRC_AT, true) === crc32(digest.subarray(0, HEADER_CRC_AT)) &&
    view.getUint32(VERSION_AT, true) === DIGEST_VERSION &&
    getU53(view, BODY_BYTES_AT) === body.length &&
    view.getUint32(BODY_CRC_AT, true) === crc32(body)
  );
}

/** Whether a whole digest is of this segment as it is now, and of this content. */
function isOf(digest: Buffer, segment: Segment, next: Segment, contentVersion: number): boolean {
  const view = viewOf(digest);
  const { saltLow, saltHigh, index, firstSequence } = segment.header;
  return (
    view.getUint32(CONTENT_VERSION_AT, true) === contentVersion &&
    view.getUint32(SALT_AT, true) === saltLow &&
    view.getUint32(SALT_AT + 4, true) === saltHigh &&
    getU53(view, INDEX_AT) === index &&
    getU53(view, FIRST_SEQUENCE_AT) === firstSequence &&
    getU53(view, END_SEQUENCE_AT) === next.header.firstSequence
  );
}
