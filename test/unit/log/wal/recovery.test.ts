import { describe, expect, it } from 'vitest';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../../../../src/log/wal/record.ts';
import { VERDICTS } from '../../../../src/log/wal/segment-walk.ts';
import { FaultyStorage } from '../../../support/faulty-storage.ts';
import {
  append,
  commitOne,
  LOG_DIRECTORY,
  openLog,
  segmentPath,
  type TextRecord,
} from '../../../support/log-bench.ts';

const SEGMENT_BYTES = 8192;

/** Where the frame begins whose first record this is. */
function frameOffset({ position }: TextRecord): number {
  return (position % SEGMENT_BYTES) - FRAME_HEADER_BYTES - RECORD_HEADER_BYTES;
}

function segmentOf({ position }: TextRecord): string {
  return segmentPath(Math.floor(position / SEGMENT_BYTES));
}

function flip(storage: FaultyStorage, path: string, offset: number): void {
  storage.corrupt(path, offset, (byte) => byte ^ 1);
}

/** Damages a record's first byte. */
function damage(storage: FaultyStorage, record: TextRecord): void {
  flip(storage, segmentOf(record), record.position % SEGMENT_BYTES);
}

/** A log that was killed, never closed: one frame for each of these texts. */
async function killedLog(...texts: readonly string[]) {
  const { storage, log } = openLog();
  const records: TextRecord[] = [];
  for (const text of texts) records.push(await commitOne(log, text));
  storage.kill();
  return { storage, records };
}

/** Enough records for several segments. */
async function longLog(storage = new FaultyStorage()) {
  const { log } = openLog(storage);
  const records: TextRecord[] = [];
  while (log.currentRegion < 3) {
    records.push(await commitOne(log, `${records.length} `.repeat(50)));
  }
  storage.kill();
  return { storage, records };
}

function corrupt(path: string, offset: number, words = '') {
  return expect.objectContaining({
    code: 'CAPSTAN_LOG_CORRUPT',
    message: expect.stringContaining(`${path}, offset ${offset}: ${words}`),
  });
}

function editHeader(storage: FaultyStorage, path: string, change: Partial<SegmentHeader>): void {
  const content = storage.content(path);
  const header = decodeSegmentHeader(content) as SegmentHeader;
  encodeSegmentHeader({ ...header, ...change }).copy(content);
  storage.setContent(path, content);
}

describe('where the frames break off', () => {
  it('[end] with nothing behind, the log ends', async () => {
    const { storage, records } = await killedLog('a', 'b');
    const { found, report } = openLog(storage);
    expect(found).toEqual(records);
    expect(report).toMatchObject({ remark: undefined, segments: 1, frames: 2, records: 2 });
  });

  it('[torn] a damaged last frame is cut, and the cut is reported', async () => {
    const { storage, records } = await killedLog('a', 'b', 'c');
    damage(storage, records[2]!);
    const { found, report } = openLog(storage);
    expect(found).toEqual(records.slice(0, 2));
    const place = `${segmentPath(0)}, offset ${frameOffset(records[2]!)}`;
    expect(report.remark).toMatch(new RegExp(`^${place}: the log ends before frame 3`));
    expect(report.remark).toContain(`${FRAME_HEADER_BYTES} bytes or more`);
  });

  it('[torn] frames that came through without the one before them are cut with it', async () => {
    const { storage, log } = openLog(undefined, { durability: { mode: 'none' } });
    const records: TextRecord[] = [];
    for (const text of ['a', 'b', 'c', 'd']) records.push(await commitOne(log, text));
    storage.kill();
    damage(storage, records[1]!);
    const { found, report } = openLog(storage);
    expect(found).toEqual(records.slice(0, 1));
    expect(report.remark).toContain('2 whole frames among them');
  });

  it('[rot] a damaged frame is refused when a later one says that it was on disk', async () => {
    const { storage, records } = await killedLog('a', 'b', 'c');
    damage(storage, records[1]!);
    const place = corrupt(
      segmentPath(0),
      frameOffset(records[1]!),
      'frame 2 is missing or damaged',
    );
    expect(() => openLog(storage)).toThrow(place);
  });

  it('[rot] a damaged last frame is refused once the log was closed behind it', async () => {
    const { storage, log } = openLog();
    const record = await commitOne(log, 'a');
    await log.close();
    damage(storage, record);
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(0), frameOffset(record)));
  });

  it('[rot] a damaged last frame is refused once the log has been quiet behind it', async () => {
    const { storage, log } = openLog();
    const record = await commitOne(log, 'a');
    log.idle(0);
    log.idle(1);
    storage.kill();
    damage(storage, record);
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(0), frameOffset(record)));
  });

  it('[gap] a segment that another one follows is refused when it is not whole', async () => {
    const { storage, records } = await longLog();
    const last = records.filter((each) => segmentOf(each) === segmentPath(1)).at(-1)!;
    damage(storage, last);
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(1), frameOffset(last)));
  });

  it('[sealed] what lies behind the frames of a complete segment counts for nothing', async () => {
    const { storage, records } = await longLog();
    const own = records.filter((each) => segmentOf(each) === segmentPath(1));
    const content = storage.content(segmentPath(1));
    const [first, second, last] = [frameOffset(own[0]!), frameOffset(own[1]!), own.at(-1)!];
    const end = (frameOffset(last) + content.readUInt32LE(frameOffset(last) + 4)) % SEGMENT_BYTES;
    content.copy(content, end, first, second);
    storage.setContent(segmentPath(1), content);
    const { found, report } = openLog(storage);
    expect(found).toEqual(records);
    expect(report.remark).toBeUndefined();
  });

  it('is judged by a table in which every row can be met', () => {
    expect(VERDICTS.map(([name]) => name)).toEqual(['sealed', 'gap', 'rot', 'torn', 'end']);
  });
});

describe('a torn tail that was cut', () => {
  it('is reported by the start that cuts it, and gone after that', async () => {
    const { storage, records } = await killedLog('a', 'b');
    damage(storage, records[1]!);
    for (let start = 0; start < 3; start++) {
      const { found, report, log } = openLog(storage);
      expect(found).toEqual(records.slice(0, 1));
      expect(report.remark === undefined).toBe(start > 0);
      await log.close();
      storage.kill();
    }
    expect(storage.paths()).toEqual([segmentPath(0)]);
  });

  it('never comes back behind what is written in its place', async () => {
    const { storage, log } = openLog(undefined, { durability: { mode: 'none' } });
    const records: TextRecord[] = [];
    for (const text of ['a', 'b', 'c', 'd']) records.push(await commitOne(log, text));
    storage.kill();
    damage(storage, records[1]!);
    // As long as what was cut: the frames behind it would follow, with the next sequences.
    const written = await commitOne(openLog(storage).log, 'B');
    expect(written.position).toBe(records[1]!.position);
    storage.cutPower();
    const { found, report } = openLog(storage);
    expect(found).toEqual([records[0], written]);
    expect(report.remark).toBeUndefined();
  });
});

describe('a segment', () => {
  it('whose header is damaged is refused', async () => {
    const { storage } = await killedLog('a');
    flip(storage, segmentPath(0), 20);
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(0), 0, "the segment's header"));
  });

  it('that is missing between others is named', async () => {
    const { storage } = await longLog();
    storage.remove(segmentPath(1));
    const words = 'segment-000000000001 before it is missing';
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(2), 0, words));
  });

  it('under the name of another is refused', async () => {
    const { storage } = await killedLog('a');
    storage.rename(segmentPath(0), segmentPath(5));
    const words = 'the header is of segment 0';
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(5), 0, words));
  });

  it('that was cut off is refused, since no crash cuts one off', async () => {
    const { storage } = await killedLog('a');
    storage.shorten(segmentPath(0), 4096);
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(0), 4096, 'the file ends here'));
  });

  it('of another size than those before is refused', async () => {
    const { storage } = await longLog();
    editHeader(storage, segmentPath(1), { segmentBytes: 4096 });
    const words = 'the size differs';
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(1), 0, words));
  });

  it('that leaves frames out between it and the one before is refused', async () => {
    const { storage } = await longLog();
    const { firstSequence } = decodeSegmentHeader(storage.content(segmentPath(2))) as SegmentHeader;
    editHeader(storage, segmentPath(2), { firstSequence: firstSequence + 1 });
    expect(() => openLog(storage)).toThrow(
      expect.objectContaining({ code: 'CAPSTAN_LOG_CORRUPT' }),
    );
  });

  it('of a later format is refused as such', async () => {
    const { storage } = await killedLog('a');
    const content = storage.content(segmentPath(0));
    // Its checksum is right: a later version wrote it.
    content.writeUInt32LE(2, 8);
    const { crc32 } = await import('node:zlib');
    content.writeUInt32LE(crc32(content.subarray(0, 60)), 60);
    storage.setContent(segmentPath(0), content);
    const refusal = expect.objectContaining({ code: 'CAPSTAN_FORMAT_UNSUPPORTED' });
    expect(() => openLog(storage)).toThrow(refusal);
  });

  it('whose records overrun their frame is refused', async () => {
    const { storage, records } = await killedLog('a');
    const content = storage.content(segmentPath(0));
    const at = frameOffset(records[0]!);
    const length = content.readUInt32LE(at + 4);
    content.writeUInt32LE(99, at + FRAME_HEADER_BYTES);
    const { crc32 } = await import('node:zlib');
    content.writeUInt32LE(crc32(content.subarray(at + 4, at + length)), at);
    storage.setContent(segmentPath(0), content);
    expect(() => openLog(storage)).toThrow(corrupt(segmentPath(0), at, 'the records overrun'));
  });

  it('that begins with what lay in a recycled file gives none of it back', async () => {
    const { storage, records } = await longLog();
    const { log } = openLog(storage);
    log.release(log.currentRegion);
    const spare = storage.paths().find((path) => path.includes('/spare-'))!;
    expect(storage.content(spare).includes(records[0]!.text)).toBe(true);
    while (storage.paths().includes(spare)) append(log, 'x'.repeat(1000));
    const after = await commitOne(log, 'after');
    storage.kill();
    const kept = records.filter((each) => segmentOf(each) === segmentPath(3));
    const found = openLog(storage).found.filter((each) => each.text[0] !== 'x');
    expect(found).toEqual([...kept, after]);
  });
});

describe('opening a log', () => {
  it('goes on where it ended, and takes no space for that', async () => {
    const { storage, records } = await killedLog('a');
    storage.capacityBytes = 0;
    const written = await commitOne(openLog(storage).log, 'b');
    expect(written.position).toBeLessThan(SEGMENT_BYTES);
    storage.cutPower();
    expect(openLog(storage).found).toEqual([...records, written]);
  });

  it('that ends at the end of a segment goes on in the next', async () => {
    const { storage, log } = openLog(undefined, { windowBytes: 8192 });
    // The segment's header, a frame's and a record's before it.
    const records = [await commitOne(log, 'x'.repeat(SEGMENT_BYTES - 64 - 40 - 4))];
    storage.kill();
    records.push(await commitOne(openLog(storage).log, 'b'));
    expect(Math.floor(records[1]!.position / SEGMENT_BYTES)).toBe(1);
    storage.kill();
    expect(openLog(storage).found).toEqual(records);
  });

  it('makes its directory, and no segment before the first record', async () => {
    const { storage, log, found } = openLog();
    expect(found).toEqual([]);
    expect(log.firstRegion).toBe(log.currentRegion);
    await log.close();
    expect(storage.paths()).toEqual([]);
    expect(storage.list(LOG_DIRECTORY)).toEqual([]);
  });

  it('again writes no segment, however often', async () => {
    const { storage } = await killedLog('a');
    for (let start = 0; start < 3; start++) await openLog(storage).log.close();
    expect(storage.paths()).toEqual([segmentPath(0)]);
  });

  it('keeps the size that its segments have', async () => {
    const { storage, records } = await killedLog('a');
    const { log, found } = openLog(storage, { segmentBytes: 16_384 });
    expect(log.regionBytes).toBe(SEGMENT_BYTES);
    expect(found).toEqual(records);
  });

  it('brings to the disk what only the operating system had', async () => {
    const { storage, log } = openLog(undefined, { durability: { mode: 'none' } });
    const record = await commitOne(log, 'a');
    storage.kill();
    expect(openLog(storage).found).toEqual([record]);
    storage.cutPower();
    expect(openLog(storage).found).toEqual([record]);
  });

  it('writes anew what a failed sync has left with the operating system alone', async () => {
    const { storage, log } = openLog();
    const first = await commitOne(log, 'first');
    append(log, 'second');
    storage.failNext({ call: 'sync', code: 'EIO' });
    expect(() => log.commit()).toThrow();
    storage.kill();
    const { found } = openLog(storage);
    expect(found[0]).toEqual(first);
    expect(found).toHaveLength(2);
    storage.cutPower();
    expect(openLog(storage).found).toEqual(found);
  });

  it('fails when what was found cannot be brought to the disk', async () => {
    const { storage } = await killedLog('a');
    storage.failNext({ call: 'sync', code: 'EIO' });
    expect(() => openLog(storage)).toThrow(expect.objectContaining({ code: 'EIO' }));
  });

  it('hands on what the handler throws', async () => {
    const { storage } = await killedLog('a');
    const { openWal } = await import('../../../../src/log/wal/wal.ts');
    const settings = {
      directory: LOG_DIRECTORY,
      segmentBytes: SEGMENT_BYTES,
      windowBytes: 4096,
      durability: { mode: 'fsync' },
      storage,
    } as const;
    const handler = () => {
      throw new Error('unreadable record');
    };
    expect(() => openWal(settings, handler)).toThrow('unreadable record');
  });
});

describe('the first frames of a segment', () => {
  it('lie right behind its header', async () => {
    const { records } = await killedLog('a');
    expect(frameOffset(records[0]!)).toBe(SEGMENT_HEADER_BYTES);
  });
});
