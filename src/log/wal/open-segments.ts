/* Which segments a log's directory holds, and whether they fit each other. Any thread. */

import { join } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './record.ts';
import { CorruptionError, listLog, Segment, segmentFileName } from './segment.ts';
import { isMissing, type Storage } from './storage.ts';

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

/** What a log takes on disk, its spares left out. */
export interface LogSize {
  readonly segmentBytes: number;
  readonly segments: number;
}

/** The size of the log in `directory`; undefined when it has no segment yet. A log that is damaged
 *  says so when it is opened. */
export function logSize(storage: Storage, directory: string): LogSize | undefined {
  try {
    const { segments } = listLog(storage, directory);
    const newest = segments.at(-1);
    if (newest === undefined) return undefined;
    const segment = openSegments(storage, directory, newest)[0];
    if (segment === undefined) return undefined;
    return { segmentBytes: segment.header.segmentBytes, segments: segments.length };
  } catch (error) {
    if (isMissing(error) || error instanceof BrokerError) return undefined;
    throw error;
  }
}

export function storedSegmentBytes(storage: Storage, directory: string): number | undefined {
  return logSize(storage, directory)?.segmentBytes;
}
