/* The digest of the segment that is being written, gathered as its frames are sealed: their bytes
 * are in the processor's cache, and nobody has to read the segment again. Owned by the log's
 * thread.
 *
 * It pays where messages stay: a log whose messages go again soon gives its segments up before a
 * start could want their digests. So each segment is asked about as it begins, and has its digest
 * gathered whole or not at all. */

import { type DigestRecord, DigestWriter, sealDigest } from './digest.ts';
import { forEachRecord } from './record.ts';
import type { Segment } from './segment.ts';

export interface LiveDigestSettings {
  readonly contentVersion: number;
  readonly digestRecord: DigestRecord;
  /** Whether the segment that begins is worth it. */
  readonly isWanted: () => boolean;
  /** Takes the digest of a segment that is complete, and on disk. */
  readonly onDigest: (index: number, digest: Buffer) => void;
}

export class LiveDigest {
  readonly #settings: LiveDigestSettings;
  /** Undefined while no digest is gathered. */
  #writer: DigestWriter | undefined;
  #segmentStart = 0;
  #records = 0;

  constructor(settings: LiveDigestSettings) {
    this.#settings = settings;
  }

  /** No frame of `segment` is sealed yet. */
  begin({ header }: Segment): void {
    const { segmentBytes, index } = header;
    this.#writer = this.#settings.isWanted() ? new DigestWriter(segmentBytes) : undefined;
    this.#segmentStart = index * segmentBytes;
    this.#records = 0;
  }

  /** Takes up the frame between `start` and `end`, which is at `position` in the log. */
  addFrame(
    buffer: Buffer,
    view: DataView,
    start: number,
    end: number,
    position: number,
    records: number,
  ): void {
    if (this.#writer === undefined) return;
    this.#records += records;
    forEachRecord(buffer, view, start, end - start, position, this.#addRecord);
  }

  readonly #addRecord: Parameters<typeof forEachRecord>[5] = (
    buffer,
    view,
    offset,
    length,
    position,
  ) => {
    const writer = this.#writer!;
    writer.segmentOffset = position - this.#segmentStart;
    this.#settings.digestRecord(writer, buffer, view, offset, length, position);
  };

  /** `segment` is complete, and on disk; the next one begins with the frame `endSequence`. */
  end(segment: Segment, endSequence: number): void {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#writer = undefined;
    const { contentVersion, onDigest } = this.#settings;
    const digest = sealDigest(writer, segment, contentVersion, endSequence, this.#records);
    onDigest(segment.header.index, digest);
  }
}
