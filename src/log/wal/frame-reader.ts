/* Reads the frames of one segment in order, in bulk, and checks each. Used for recovery, cleaning,
 * and verification. Owned by the thread that made it. */

import type { ReplayHandler } from '../log.ts';
import {
  FRAME_HEADER_BYTES,
  forEachRecord,
  frameDurableSequence,
  frameIsSound,
  frameLength,
  frameRecords,
  frameSequence,
  type SegmentHeader,
  viewOf,
} from './record.ts';
import type { StorageFile } from './storage.ts';

export class FrameReader {
  /** Of the frame that `next` found last. */
  sequence = 0;
  durableSequence = 0;
  records = 0;
  /** Its offset in the file, and its length. */
  frameOffset = 0;
  frameBytes = 0;
  /** Offset in the file of the place that `next` looks at next. */
  offset = 0;
  buffer: Buffer;
  view: DataView;
  #file!: StorageFile;
  #segment!: SegmentHeader;
  #limit = 0;
  /** The buffer holds the file's bytes from here on, so many of them. */
  #bufferedFrom = 0;
  #bufferedBytes = 0;
  /** Read ahead at the next turn; doubles with each until it fills the buffer. */
  #aheadBytes = 0;

  /** @param bufferBytes read at once; more when a frame is larger. */
  constructor(bufferBytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bufferBytes);
    this.view = viewOf(this.buffer);
  }

  /** Turns to `file`: frames of `segment` from `offset` on, none that reaches beyond `limit`.
   *  @param aheadBytes read at first; for a reader that may soon be turned to another place. */
  open(
    file: StorageFile,
    segment: SegmentHeader,
    offset: number,
    limit: number,
    aheadBytes = this.buffer.length,
  ): void {
    this.#file = file;
    this.#segment = segment;
    this.#limit = limit;
    this.#aheadBytes = aheadBytes;
    this.offset = offset;
    this.frameOffset = offset;
    this.frameBytes = 0;
    this.#bufferedFrom = offset;
    this.#bufferedBytes = 0;
  }

  /** Lets frames up to `limit` be read: the file has grown. */
  extend(limit: number): void {
    this.#limit = limit;
  }

  /** Where in `buffer` the byte at `offset` of the file is, which lies in the frame found last. */
  bufferIndex(offset: number): number {
    return offset - this.#bufferedFrom;
  }

  /** Goes to the next frame. False, with `offset` unmoved, when there is no sound one. */
  next(): boolean {
    if (!this.#have(FRAME_HEADER_BYTES)) return false;
    const room = this.#limit - this.offset;
    const length = frameLength(this.view, this.#at(), this.#segment, room);
    if (length === 0 || !this.#have(length)) return false;
    const at = this.#at();
    if (!frameIsSound(this.buffer, this.view, at, length)) return false;
    this.sequence = frameSequence(this.view, at);
    this.durableSequence = frameDurableSequence(this.view, at);
    this.records = frameRecords(this.view, at);
    this.frameOffset = this.offset;
    this.frameBytes = length;
    this.offset += length;
    return true;
  }

  /** Hands the frame's records to `handler`. False when they do not fit the frame. */
  forEachRecord(handler: ReplayHandler): boolean {
    const at = this.frameOffset - this.#bufferedFrom;
    const position = this.#segment.index * this.#segment.segmentBytes + this.frameOffset;
    return forEachRecord(this.buffer, this.view, at, this.frameBytes, position, handler);
  }

  #at(): number {
    return this.offset - this.#bufferedFrom;
  }

  /** Has `bytes` from `offset` on in the buffer, if the file has them. */
  #have(bytes: number): boolean {
    if (this.#at() + bytes <= this.#bufferedBytes) return true;
    if (this.offset + bytes > this.#limit) return false;
    this.#makeRoom(bytes);
    const missing = Math.min(
      this.buffer.length - this.#bufferedBytes,
      this.#limit - this.#bufferedFrom - this.#bufferedBytes,
      Math.max(this.#aheadBytes, bytes - this.#bufferedBytes),
    );
    this.#aheadBytes *= 2;
    const from = this.#bufferedFrom + this.#bufferedBytes;
    this.#bufferedBytes += this.#file.read(this.buffer, this.#bufferedBytes, missing, from);
    return bytes <= this.#bufferedBytes;
  }

  /** Moves the rest to the front of the buffer, or of a larger one. */
  #makeRoom(bytes: number): void {
    const source = this.buffer;
    if (bytes > source.length) {
      this.buffer = Buffer.allocUnsafeSlow(bytes);
      this.view = viewOf(this.buffer);
    }
    source.copy(this.buffer, 0, this.#at(), this.#bufferedBytes);
    this.#bufferedBytes -= this.#at();
    this.#bufferedFrom = this.offset;
  }
}
