/* The bytes of the log: segment headers, frames and the records in them. FORMAT.md is the norm, and
 * this is the only code that knows it. Pure; any thread. Everything is little-endian. */

import { crc32 } from 'node:zlib';
import type { LogPosition, ReplayHandler } from '../log.ts';

export const FORMAT_VERSION = 1;

export const SEGMENT_HEADER_BYTES = 64;
export const FRAME_HEADER_BYTES = 40;
export const RECORD_HEADER_BYTES = 4;
/** Frames begin at multiples of this, so that a search for one need not try every byte. */
export const FRAME_ALIGNMENT = 8;

const MAGIC = Buffer.from('CAPSTAN\n', 'latin1');

// Offsets in a segment's header.
const HEADER_VERSION = 8;
const HEADER_SEGMENT_BYTES = 12;
const HEADER_SALT = 16;
const HEADER_INDEX = 24;
const HEADER_FIRST_SEQUENCE = 32;
const HEADER_DURABLE_SEQUENCE = 40;
const HEADER_CRC = 60;

// Offsets in a frame's header.
const FRAME_CRC = 0;
const FRAME_LENGTH = 4;
export const FRAME_SALT = 8;
const FRAME_SEQUENCE = 16;
const FRAME_DURABLE_SEQUENCE = 24;
const FRAME_RECORDS = 32;
const FRAME_RESERVED = 36;

const TWO_TO_THE_32 = 0x1_0000_0000;

/** Whole numbers below 2^53, in 8 bytes. */
export function setU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / TWO_TO_THE_32), true);
}

export function getU53(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_TO_THE_32;
}

export function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** Rounds up to where the next frame may begin. */
export function alignFrame(offset: number): number {
  return (offset + FRAME_ALIGNMENT - 1) & -FRAME_ALIGNMENT;
}

export interface SegmentHeader {
  readonly segmentBytes: number;
  /** Drawn at random for each use of a file; its frames repeat it. Two words of 32 bits. */
  readonly saltLow: number;
  readonly saltHigh: number;
  /** The segment holds the positions from `index * segmentBytes` on. */
  readonly index: number;
  /** That of the first frame in the segment. */
  readonly firstSequence: number;
  /** All frames up to this one were on disk when the segment was begun. */
  readonly durableSequence: number;
}

/** A segment's salt as it lies in the file. */
export function saltBytes(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(header.saltLow, 0);
  bytes.writeUInt32LE(header.saltHigh, 4);
  return bytes;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const view = viewOf(bytes);
  MAGIC.copy(bytes);
  view.setUint32(HEADER_VERSION, FORMAT_VERSION, true);
  view.setUint32(HEADER_SEGMENT_BYTES, header.segmentBytes, true);
  view.setUint32(HEADER_SALT, header.saltLow, true);
  view.setUint32(HEADER_SALT + 4, header.saltHigh, true);
  setU53(view, HEADER_INDEX, header.index);
  setU53(view, HEADER_FIRST_SEQUENCE, header.firstSequence);
  setU53(view, HEADER_DURABLE_SEQUENCE, header.durableSequence);
  view.setUint32(HEADER_CRC, crc32(bytes.subarray(0, HEADER_CRC)), true);
  return bytes;
}

/** `damaged`: no header of a segment, or its checksum is wrong. `newer`: of a later format. */
export type HeaderFault = 'damaged' | 'newer';

export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | HeaderFault {
  if (bytes.length < SEGMENT_HEADER_BYTES) return 'damaged';
  const view = viewOf(bytes);
  const sound = view.getUint32(HEADER_CRC, true) === crc32(bytes.subarray(0, HEADER_CRC));
  if (!sound || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 'damaged';
  if (view.getUint32(HEADER_VERSION, true) > FORMAT_VERSION) return 'newer';
  return {
    segmentBytes: view.getUint32(HEADER_SEGMENT_BYTES, true),
    saltLow: view.getUint32(HEADER_SALT, true),
    saltHigh: view.getUint32(HEADER_SALT + 4, true),
    index: getU53(view, HEADER_INDEX),
    firstSequence: getU53(view, HEADER_FIRST_SEQUENCE),
    durableSequence: getU53(view, HEADER_DURABLE_SEQUENCE),
  };
}

/** Completes the frame at `start` up to `end`, whose records are in place: its header, and the
 *  checksum over all that follows it. */
export function sealFrame(
  buffer: Buffer,
  view: DataView,
  start: number,
  end: number,
  segment: SegmentHeader,
  sequence: number,
  durableSequence: number,
  records: number,
): void {
  view.setUint32(start + FRAME_LENGTH, end - start, true);
  view.setUint32(start + FRAME_SALT, segment.saltLow, true);
  view.setUint32(start + FRAME_SALT + 4, segment.saltHigh, true);
  setU53(view, start + FRAME_SEQUENCE, sequence);
  setU53(view, start + FRAME_DURABLE_SEQUENCE, durableSequence);
  view.setUint32(start + FRAME_RECORDS, records, true);
  view.setUint32(start + FRAME_RESERVED, 0, true);
  view.setUint32(start + FRAME_CRC, crc32(buffer.subarray(start + FRAME_LENGTH, end)), true);
}

/** The length that a frame at `at` says it has, or 0 when it is none of `segment`, or cannot fit
 *  `room` bytes. Needs the header's bytes only. */
export function frameLength(
  view: DataView,
  at: number,
  segment: SegmentHeader,
  room: number,
): number {
  if (view.getUint32(at + FRAME_SALT, true) !== segment.saltLow) return 0;
  if (view.getUint32(at + FRAME_SALT + 4, true) !== segment.saltHigh) return 0;
  const length = view.getUint32(at + FRAME_LENGTH, true);
  const possible = length >= FRAME_HEADER_BYTES && length <= room && length % FRAME_ALIGNMENT === 0;
  return possible ? length : 0;
}

/** Whether the checksum over a frame's `length` bytes is right. */
export function frameIsSound(buffer: Buffer, view: DataView, at: number, length: number): boolean {
  return view.getUint32(at, true) === crc32(buffer.subarray(at + FRAME_LENGTH, at + length));
}

export function frameSequence(view: DataView, at: number): number {
  return getU53(view, at + FRAME_SEQUENCE);
}

/** All frames up to this one were on disk when the frame at `at` was written. */
export function frameDurableSequence(view: DataView, at: number): number {
  return getU53(view, at + FRAME_DURABLE_SEQUENCE);
}

export function frameRecords(view: DataView, at: number): number {
  return view.getUint32(at + FRAME_RECORDS, true);
}

/** Hands each record of the sound frame at `at` to `handler`; `position` is the frame's. False when
 *  the records do not fit the frame. */
export function forEachRecord(
  buffer: Buffer,
  view: DataView,
  at: number,
  length: number,
  position: LogPosition,
  handler: ReplayHandler,
): boolean {
  const end = at + length;
  let cursor = at + FRAME_HEADER_BYTES;
  for (let left = view.getUint32(at + FRAME_RECORDS, true); left > 0; left--) {
    const payload = cursor + RECORD_HEADER_BYTES;
    if (payload > end) return false;
    const bytes = view.getUint32(cursor, true);
    cursor = payload + bytes;
    if (bytes === 0 || cursor > end) return false;
    handler(buffer, view, payload, bytes, position + (payload - at));
  }
  return true;
}
