/* Holds FORMAT.md against the code: its example is decoded, its tables are looked up. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FORMAT_VERSION,
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from '../../../../src/log/wal/record.ts';
import { FaultyStorage } from '../../../support/faulty-storage.ts';
import { openLog, segmentPath } from '../../../support/log-bench.ts';

const TEXT = readFileSync(new URL('../../../../src/log/wal/FORMAT.md', import.meta.url), 'utf8');

function example(): Buffer {
  const dump = /```hex\n([^`]+)```/.exec(TEXT)![1]!;
  const digits = dump.replaceAll(/^[0-9a-f]{4} {2}/gm, '').replaceAll(/\s/g, '');
  return Buffer.from(digits, 'hex');
}

/** Rows of the table below a heading: offset, size, type and field. */
function fieldsBelow(heading: string) {
  const section = TEXT.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return [...section.matchAll(/^\| (\d+) +\| (\d+) +\| (\S+) +\| ([^|]+?) +\|/gm)].map(
    ([, offset, size, type, field]) => ({
      offset: Number(offset),
      size: Number(size),
      type: type!,
      field: field!,
    }),
  );
}

function read(bytes: Buffer, at: number, heading: string, name: string): number {
  const { offset, type } = fieldsBelow(heading).find(({ field }) => field === name)!;
  return type === 'u53'
    ? Number(bytes.readBigUInt64LE(at + offset))
    : bytes.readUInt32LE(at + offset);
}

describe('FORMAT.md', () => {
  it('has tables without a gap, of the size that the code has', () => {
    const sizes = {
      'A segment': SEGMENT_HEADER_BYTES,
      'A frame': FRAME_HEADER_BYTES,
      'A digest': 80,
    };
    for (const [heading, bytes] of Object.entries(sizes)) {
      let end = 0;
      for (const { offset, size, field } of fieldsBelow(heading)) {
        expect(offset, `${heading}: ${field}`).toBe(end);
        end += size;
      }
      expect(end, heading).toBe(bytes);
    }
  });

  it('has an example of a segment header', () => {
    const bytes = example();
    const header = {
      segmentBytes: 4096,
      saltLow: 0x11223344,
      saltHigh: 0x55667788,
      index: 3,
      firstSequence: 42,
      durableSequence: 41,
    };
    expect(decodeSegmentHeader(bytes)).toEqual(header);
    expect(encodeSegmentHeader(header)).toEqual(bytes.subarray(0, SEGMENT_HEADER_BYTES));
    const heading = 'A segment';
    expect(read(bytes, 0, heading, 'version')).toBe(FORMAT_VERSION);
    expect(read(bytes, 0, heading, 'segment bytes')).toBe(4096);
    expect(read(bytes, 0, heading, 'index')).toBe(3);
    expect(read(bytes, 0, heading, 'first sequence')).toBe(42);
    expect(read(bytes, 0, heading, 'durable sequence')).toBe(41);
  });

  it('has an example of a frame', () => {
    const bytes = example();
    const heading = 'A frame';
    const length = read(bytes, SEGMENT_HEADER_BYTES, heading, 'length');
    expect(SEGMENT_HEADER_BYTES + length).toBe(bytes.length);
    expect(read(bytes, SEGMENT_HEADER_BYTES, heading, 'sequence')).toBe(42);
    expect(read(bytes, SEGMENT_HEADER_BYTES, heading, 'durable sequence')).toBe(41);
    expect(read(bytes, SEGMENT_HEADER_BYTES, heading, 'records')).toBe(2);
  });

  it('has an example that a log opens', () => {
    const storage = new FaultyStorage();
    const segment = Buffer.alloc(4096);
    example().copy(segment);
    storage.setContent(segmentPath(3), segment);
    const { found, report } = openLog(storage);
    const position = 3 * 4096 + 64 + 40 + 4;
    expect(found).toEqual([
      { text: 'hello', position },
      { text: 'hi!', position: position + 5 + 4 },
    ]);
    expect(report.remark).toBeUndefined();
  });
});
