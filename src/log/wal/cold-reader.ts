/* Reads records that are no longer in memory back from their segments. Several cursors, because
 * several queues are drained at once, each in order. Owned by the log's thread.
 *
 * Invariant: no byte is handed out whose frame's checksum was not found right. */

import { FrameReader } from './frame-reader.ts';
import { viewOf } from './record.ts';
import { CorruptionError, type Segment } from './segment.ts';
import type { Storage, StorageFile } from './storage.ts';

const CURSORS_MAX = 4;
const CURSOR_BUFFER_BYTES = 512 * 1024;
/** Read at first by a cursor that has jumped: it may jump again. */
const FIRST_READ_BYTES = 64 * 1024;
/** A place so far ahead is read up to; a jump would check no fewer bytes. */
const READ_ON_BYTES = 64 * 1024;

class Cursor {
  readonly reader = new FrameReader(CURSOR_BUFFER_BYTES);
  segment: Segment | undefined;
  usedAt = 0;
  #file: StorageFile | undefined;

  turnTo(storage: Storage, segment: Segment, offset: number): void {
    if (this.segment !== segment) {
      this.close();
      this.#file = storage.open(segment.path, 'read');
      this.segment = segment;
    }
    const start = segment.frameBefore(offset);
    this.reader.open(this.#file!, segment.header, start, segment.end, FIRST_READ_BYTES);
  }

  /** Whether `offset` lies in the frame found last, or not far behind it. */
  isNear(segment: Segment, offset: number): boolean {
    const { frameOffset, offset: next } = this.reader;
    return this.segment === segment && offset >= frameOffset && offset < next + READ_ON_BYTES;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.segment = undefined;
  }
}

export class ColdReader {
  /** Where the bytes are that `read` was asked for last. */
  buffer: Buffer = Buffer.alloc(0);
  view = viewOf(this.buffer);
  offset = 0;
  readonly #storage: Storage;
  readonly #cursors: Cursor[] = [];
  #reads = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Finds `length` bytes at `offset` in the file of `segment`, all of one record.
   *  Throws CAPSTAN_LOG_CORRUPT. */
  read(segment: Segment, offset: number, length: number): void {
    const cursor = this.#cursorFor(segment, offset);
    const { reader } = cursor;
    cursor.usedAt = ++this.#reads;
    while (offset >= reader.offset) {
      if (reader.next()) continue;
      const { path: file } = segment;
      const what = 'a frame that was sound before is damaged now';
      cursor.close();
      throw new CorruptionError({ file, offset: reader.offset, what });
    }
    if (offset + length > reader.offset) {
      const { path: file } = segment;
      throw new CorruptionError({ file, offset, what: `no record of ${length} bytes is here` });
    }
    this.buffer = reader.buffer;
    this.view = reader.view;
    this.offset = reader.bufferIndex(offset);
  }

  #cursorFor(segment: Segment, offset: number): Cursor {
    let oldest: Cursor | undefined;
    for (const cursor of this.#cursors) {
      if (cursor.isNear(segment, offset)) {
        cursor.reader.extend(segment.end);
        return cursor;
      }
      if (oldest === undefined || cursor.usedAt < oldest.usedAt) oldest = cursor;
    }
    if (oldest === undefined || this.#cursors.length < CURSORS_MAX) {
      oldest = new Cursor();
      this.#cursors.push(oldest);
    }
    oldest.turnTo(this.#storage, segment, offset);
    return oldest;
  }

  /** Lets go of a segment that is given up. */
  forget(segment: Segment): void {
    for (const cursor of this.#cursors) {
      if (cursor.segment === segment) cursor.close();
    }
  }

  close(): void {
    for (const cursor of this.#cursors) cursor.close();
    this.#cursors.length = 0;
  }
}
