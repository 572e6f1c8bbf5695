/* What lies behind the place at which a segment's frames break off: nothing, the remains of a torn
 * write, or sound frames that speak of what is missing. */

import {
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  FRAME_SALT,
  frameDurableSequence,
  frameIsSound,
  frameLength,
  frameSequence,
  type SegmentHeader,
  saltBytes,
  viewOf,
} from './record.ts';
import type { StorageFile } from './storage.ts';

export interface Rest {
  /** A frame that says so proves that the missing frame was on disk once. */
  readonly vouched: boolean;
  /** Something of this segment is there. */
  readonly remains: boolean;
  /** Sound frames of later sequences. */
  readonly laterFrames: number;
  /** Offset in the file behind the last of the remains that can be told from what lay there. */
  readonly remainsEnd: number;
}

export const NO_REST: Rest = { vouched: false, remains: false, laterFrames: 0, remainsEnd: 0 };

const READ_BYTES = 1024 * 1024;

/** Looks through `file` from `offset` on, where the frame `sequence` of `segment` is missing. */
export function searchRest(
  file: StorageFile,
  segment: SegmentHeader,
  offset: number,
  sequence: number,
): Rest {
  const salt = saltBytes(segment);
  const chunk = Buffer.allocUnsafeSlow(READ_BYTES);
  let remainsEnd = saysSequence(file, offset, sequence) ? offset + FRAME_HEADER_BYTES : offset;
  let laterFrames = 0;
  // Offset in the file of the first salt of interest: those inside of a sound frame are not.
  let wanted = offset + FRAME_SALT;
  while (wanted < segment.segmentBytes) {
    const bytes = file.read(chunk, 0, READ_BYTES, wanted);
    const found = chunk.subarray(0, bytes).indexOf(salt);
    if (found === -1) {
      if (bytes < READ_BYTES) break;
      wanted += bytes - (salt.length - 1);
      continue;
    }
    const frame = wanted + found - FRAME_SALT;
    wanted = wanted + found + 1;
    if (frame % FRAME_ALIGNMENT !== 0) continue;
    remainsEnd = frame + FRAME_HEADER_BYTES;
    const later = readFrame(file, segment, frame);
    if (later === undefined || later.sequence <= sequence) continue;
    laterFrames++;
    remainsEnd = frame + later.length;
    if (later.durableSequence >= sequence) {
      return { vouched: true, remains: true, laterFrames, remainsEnd };
    }
    wanted = remainsEnd + FRAME_SALT;
  }
  return { vouched: false, remains: remainsEnd > offset, laterFrames, remainsEnd };
}

/** Makes sure that no frame of `segment` is ever found from `offset` on: what is written there next
 *  may end where one of the remains begins. Not on disk before the next sync. */
export function defuseRest(file: StorageFile, segment: SegmentHeader, offset: number): void {
  const salt = saltBytes(segment);
  const chunk = Buffer.allocUnsafeSlow(READ_BYTES);
  // The one right here may be known by its sequence alone.
  wipeHeader(file, segment, offset);
  for (let at = offset; at < segment.segmentBytes; ) {
    const bytes = file.read(chunk, 0, READ_BYTES, at);
    const found = chunk.subarray(0, bytes).indexOf(salt);
    if (found === -1) {
      if (bytes < READ_BYTES) return;
      at += bytes - (salt.length - 1);
    } else {
      wipeHeader(file, segment, Math.max(offset, at + found - FRAME_SALT));
      at += found + salt.length;
    }
  }
}

function wipeHeader(file: StorageFile, { segmentBytes }: SegmentHeader, offset: number): void {
  file.writeAt(Buffer.alloc(Math.min(FRAME_HEADER_BYTES, segmentBytes - offset)), offset);
}

/** Whether a frame's header at `offset` gives this sequence, whatever else of it is damaged. What
 *  lay in a recycled file gives it by chance only, one in 2^64. */
function saysSequence(file: StorageFile, offset: number, sequence: number): boolean {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  const bytes = file.read(header, 0, header.length, offset);
  return bytes === header.length && frameSequence(viewOf(header), 0) === sequence;
}

interface FoundFrame {
  readonly length: number;
  readonly sequence: number;
  readonly durableSequence: number;
}

function readFrame(
  file: StorageFile,
  segment: SegmentHeader,
  offset: number,
): FoundFrame | undefined {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  file.read(header, 0, header.length, offset);
  const length = frameLength(viewOf(header), 0, segment, segment.segmentBytes - offset);
  if (length === 0) return undefined;
  const frame = Buffer.allocUnsafe(length);
  if (file.read(frame, 0, length, offset) < length) return undefined;
  const view = viewOf(frame);
  if (!frameIsSound(frame, view, 0, length)) return undefined;
  return {
    length,
    sequence: frameSequence(view, 0),
    durableSequence: frameDurableSequence(view, 0),
  };
}
