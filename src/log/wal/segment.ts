/* One segment in memory, and the names of files in a log's folder. Any thread.
 *
 * A file that has a segment's name has a sound header of that segment, on disk: the header is
 * written before the name is given. */

import { join } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from './record.ts';
import type { Storage } from './storage.ts';

const SEGMENT_NAME = /^segment-(\d{12})$/;
const SPARE_NAME = /^spare-[0-9a-f]+$/;
const DIGEST_NAME = /^digest-(\d{12})$/;
const UNFINISHED_NAME = /^unfinished-[0-9a-f]+$/;

export function segmentFileName(index: number): string {
  return `segment-${String(index).padStart(12, '0')}`;
}

/** A shortened copy of a segment's records, beside it; see digest.ts. */
export function digestFileName(index: number): string {
  return `digest-${String(index).padStart(12, '0')}`;
}

/** A file of zeros, or a segment given up: its content is never looked at. */
export function spareFileName(tag: string): string {
  return `spare-${tag}`;
}

/** A spare or a digest in the making, or a segment given up that is to be removed: of the
 *  maintenance pool, and nobody else. */
export function unfinishedFileName(tag: string): string {
  return `unfinished-${tag}`;
}

export interface LogListing {
  /** Indexes of the segments, ascending. */
  readonly segments: number[];
  /** Indexes of the segments that have a digest. */
  readonly digests: number[];
  /** Names of files. */
  readonly spares: string[];
  readonly unfinished: string[];
}

export function listLog(storage: Storage, directory: string): LogListing {
  const listing: LogListing = { segments: [], digests: [], spares: [], unfinished: [] };
  for (const name of storage.list(directory)) {
    const index = SEGMENT_NAME.exec(name)?.[1];
    const digest = DIGEST_NAME.exec(name)?.[1];
    if (index !== undefined) listing.segments.push(Number(index));
    else if (digest !== undefined) listing.digests.push(Number(digest));
    else if (SPARE_NAME.test(name)) listing.spares.push(name);
    else if (UNFINISHED_NAME.test(name)) listing.unfinished.push(name);
  }
  listing.segments.sort((a, b) => a - b);
  return listing;
}

/** What is wrong, and where. */
export interface Damage {
  readonly file: string;
  readonly offset: number;
  readonly what: string;
}

/** CAPSTAN_LOG_CORRUPT, with the place. */
export class CorruptionError extends BrokerError {
  readonly damage: Damage;

  constructor(damage: Damage, cause?: unknown) {
    const { file, offset, what } = damage;
    super('CAPSTAN_LOG_CORRUPT', `${file}, offset ${offset}: ${what}.`, { cause });
    this.damage = damage;
  }
}

/** One mark per so many bytes of a segment: where the first frame begins in them. */
export const GRAIN_BYTES = 64 * 1024;

export class Segment {
  readonly header: SegmentHeader;
  readonly path: string;
  /** Offset behind the last frame that the operating system has. */
  end = SEGMENT_HEADER_BYTES;
  /** Per grain, the offset of the first frame that begins in it; 0 if none does. */
  readonly grains: Uint32Array;

  constructor(header: SegmentHeader, directory: string) {
    this.header = header;
    this.path = join(directory, segmentFileName(header.index));
    this.grains = new Uint32Array(Math.ceil(header.segmentBytes / GRAIN_BYTES));
  }

  /** A frame begins at `offset`, behind all that are known. */
  noteFrame(offset: number): void {
    const grain = Math.floor(offset / GRAIN_BYTES);
    if (this.grains[grain] === 0) this.grains[grain] = offset;
  }

  /** Where some frame begins, at or before `offset` and not far from it. */
  frameBefore(offset: number): number {
    for (let grain = Math.floor(offset / GRAIN_BYTES); grain >= 0; grain--) {
      const first = this.grains[grain]!;
      if (first !== 0 && first <= offset) return first;
    }
    return SEGMENT_HEADER_BYTES;
  }
}
