import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvariantError } from '../../../../src/base/assert.ts';
import { FRAME_BYTES_MAX, LOG_WINDOW_BYTES_DEFAULT_MIN } from '../../../../src/base/limits.ts';
import { NODE_STORAGE } from '../../../../src/log/wal/storage.ts';
import { openWal } from '../../../../src/log/wal/wal.ts';
import { FaultyStorage } from '../../../support/faulty-storage.ts';
import {
  append,
  commitOne,
  openLog,
  readText,
  segmentPath,
  type TextRecord,
} from '../../../support/log-bench.ts';

const SEGMENT_BYTES = 8192;
/** The largest record that fits the segments and windows of these tests. */
const RECORD_BYTES_MAX = 4096 - 40 - 4;

function failure(code: string) {
  return expect.objectContaining({ code });
}

describe('a record', () => {
  it('is found again at its position, in order, by the next start', async () => {
    const { storage, log } = openLog();
    const written = ['one', 'two', 'three'].map((text) => append(log, text));
    await log.commit();
    written.push(await commitOne(log, 'four'));
    await log.close();
    storage.kill();
    expect(openLog(storage).found).toEqual(written);
  });

  it('is read back whenever it was written, from memory and from its segment', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 2500 }), fc.nat(3)), { maxLength: 60 }),
        async (steps) => {
          const { storage, log } = openLog();
          const written: TextRecord[] = [];
          for (const [length, ending] of steps) {
            written.push(append(log, `${written.length} `.repeat(length).slice(0, length)));
            if (ending === 1) log.write();
            if (ending === 2) await log.commit();
            for (const record of written) expect(readText(log, record)).toBe(record.text);
          }
          await log.close();
          storage.kill();
          const again = openLog(storage);
          expect(again.found).toEqual(written);
          for (const record of written) expect(readText(again.log, record)).toBe(record.text);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('can be read in part', async () => {
    const { log } = openLog();
    const record = await commitOne(log, 'some text');
    const part = { position: record.position + 5, text: 'text' };
    expect(readText(log, part)).toBe('text');
    while (log.currentRegion < 2) append(log, 'x'.repeat(1000));
    expect(readText(log, part)).toBe('text');
  });

  it('of the largest size fits, and a larger one is a defect of the caller', async () => {
    const { log } = openLog();
    const largest = await commitOne(log, 'y'.repeat(RECORD_BYTES_MAX));
    expect(readText(log, largest)).toBe(largest.text);
    expect(() => log.claim(RECORD_BYTES_MAX + 1)).toThrow(InvariantError);
    expect(() => log.claim(0)).toThrow(InvariantError);
    const next = await commitOne(log, 'next');
    expect(readText(log, next)).toBe('next');
  });

  it('as large as a full batch fits a window and segments of the default size', () => {
    const { log } = openLog(undefined, {
      segmentBytes: 4 * FRAME_BYTES_MAX,
      windowBytes: LOG_WINDOW_BYTES_DEFAULT_MIN / 4,
    });
    for (let i = 0; i < 5; i++) {
      const at = log.claim(FRAME_BYTES_MAX);
      expect(at + FRAME_BYTES_MAX).toBeLessThanOrEqual(log.buffer.length);
    }
  });

  it('never spans two segments', async () => {
    const { log } = openLog();
    for (let i = 0; i < 100; i++) {
      const { position, text } = append(log, 'z'.repeat(1 + ((i * 379) % 3000)));
      const last = position + text.length - 1;
      expect(Math.floor(position / SEGMENT_BYTES)).toBe(Math.floor(last / SEGMENT_BYTES));
    }
  });
});

describe('claims', () => {
  it('keep the same memory, and cost no storage call before the commit', async () => {
    const { storage, log } = openLog();
    append(log, 'first');
    const { buffer, view } = log;
    const before = storage.changes;
    for (let i = 0; i < 50; i++) append(log, 'record');
    expect(storage.changes).toBe(before);
    expect(log.buffer).toBe(buffer);
    expect(log.view).toBe(view);
  });

  it('of one commit go out as one write and one sync', async () => {
    const { storage, log } = openLog();
    await commitOne(log, 'first');
    const before = storage.changes;
    for (let i = 0; i < 50; i++) append(log, 'record');
    await log.commit();
    expect(storage.changes).toBe(before + 2);
  });

  it('are dirty until a commit covers them', async () => {
    const { log } = openLog();
    expect(log.dirty).toBe(false);
    append(log, 'a');
    expect(log.dirty).toBe(true);
    log.write();
    expect(log.dirty).toBe(true);
    await log.commit();
    expect(log.dirty).toBe(false);
  });

  it('are as little dirty as before once the log has been quiet', async () => {
    const { log } = openLog();
    await commitOne(log, 'a');
    for (let i = 0; i < 3; i++) log.idle(i);
    expect(log.dirty).toBe(false);
  });

  it('of a large commit lie in several frames, written at once', async () => {
    const storage = new FaultyStorage();
    const large = { segmentBytes: 4 << 20, windowBytes: 4 << 20 };
    const { log } = openLog(storage, { ...large, frameBytes: 128 * 1024 });
    await commitOne(log, 'first');
    const before = storage.changes;
    const written = Array.from({ length: 600 }, () => append(log, 'x'.repeat(1000)));
    await log.commit();
    expect(storage.changes).toBe(before + 2);
    storage.cutPower();
    const { found, report } = openLog(storage);
    expect(found.slice(1)).toEqual(written);
    expect(report.frames).toBe(1 + Math.ceil((600 * 1004) / (128 * 1024 - 44)));
  });

  it('are counted until they are written, also those that were written early', async () => {
    const { log } = openLog();
    expect(log.uncommittedBytes).toBe(0);
    let claimed = 0;
    for (let i = 0; i < 20; i++) claimed += append(log, 'x'.repeat(1000)).text.length;
    expect(log.uncommittedBytes).toBeGreaterThan(claimed);
    expect(log.uncommittedBytes).toBeLessThan(claimed * 1.1);
    await log.commit();
    expect(log.uncommittedBytes).toBe(0);
    append(log, 'x');
    log.write();
    expect(log.uncommittedBytes).toBe(0);
  });
});

describe('a commit', () => {
  it('with nothing to cover touches nothing', async () => {
    const { storage, log } = openLog();
    await log.commit();
    await commitOne(log, 'a');
    const before = storage.changes;
    expect(log.commit()).toBeUndefined();
    log.write();
    expect(storage.changes).toBe(before);
  });

  it('is on disk when it returns', async () => {
    const { storage, log } = openLog();
    const record = await commitOne(log, 'a');
    storage.cutPower();
    expect(openLog(storage).found).toEqual([record]);
  });

  it('covers what was written before it', async () => {
    const { storage, log } = openLog();
    const record = append(log, 'a');
    log.write();
    await log.commit();
    storage.cutPower();
    expect(openLog(storage).found).toEqual([record]);
  });

  it('with durability none leaves the bytes with the operating system', async () => {
    const { storage, log } = openLog(undefined, { durability: { mode: 'none' } });
    await commitOne(log, 'first');
    storage.failNext({ call: 'sync', code: 'EIO', times: 100 });
    const record = await commitOne(log, 'second');
    log.idle(0);
    storage.kill();
    expect(openLog(storage).found).toContainEqual(record);
  });

  it('with an interval syncs when it is over, by a commit or by the clock', async () => {
    let now = 0;
    const durability = { mode: 'interval', intervalMs: 100 } as const;
    const { storage, log } = openLog(undefined, { durability, clock: () => now });
    await commitOne(log, 'first');
    const countsFor = async (work: () => Promise<unknown> | undefined) => {
      const before = storage.changes;
      await work();
      return storage.changes - before;
    };
    now = 99;
    expect(await countsFor(() => commitOne(log, 'early'))).toBe(1);
    now = 100;
    expect(await countsFor(() => commitOne(log, 'late'))).toBe(2);
    expect(log.idleBy).toBe(Number.POSITIVE_INFINITY);
    now = 150;
    expect(await countsFor(() => commitOne(log, 'early again'))).toBe(1);
    expect(log.idleBy).toBe(200);
    const idle = async () => log.idle(0);
    expect(await countsFor(idle)).toBe(0);
    now = 200;
    // The sync, and a frame that says so.
    expect(await countsFor(idle)).toBe(2);
    expect(log.idleBy).toBe(Number.POSITIVE_INFINITY);
    storage.cutPower();
    expect(openLog(storage).found.map((each) => each.text)).toContain('early again');
  });
});

describe('a quiet log', () => {
  it.each(['fsync', 'none'] as const)(
    'with durability %s says once that its last frame is on disk, and then writes nothing',
    async (mode) => {
      const { storage, log } = openLog(undefined, { durability: { mode } });
      await commitOne(log, 'a');
      for (let i = 0; i < 3; i++) log.idle(i);
      const before = storage.changes;
      for (let i = 0; i < 9; i++) log.idle(i);
      expect(storage.changes).toBe(before);
    },
  );

  it('with an interval comes to rest as well', async () => {
    let now = 0;
    const durability = { mode: 'interval', intervalMs: 10 } as const;
    const { storage, log } = openLog(undefined, { durability, clock: () => now });
    await commitOne(log, 'a');
    const idle = () => {
      now += 20;
      log.idle(now);
    };
    for (let i = 0; i < 5; i++) idle();
    const before = storage.changes;
    for (let i = 0; i < 9; i++) idle();
    expect(storage.changes).toBe(before);
    expect(log.idleBy).toBe(Number.POSITIVE_INFINITY);
  });

  it('goes on where it was when it is opened again', async () => {
    const { storage, log } = openLog();
    const first = await commitOne(log, 'a');
    log.idle(0);
    log.idle(1);
    const second = await commitOne(log, 'b');
    await log.close();
    storage.kill();
    const again = openLog(storage);
    const third = await commitOne(again.log, 'c');
    storage.kill();
    expect(openLog(storage).found).toEqual([first, second, third]);
  });
});

describe('a failed write or sync', () => {
  it.each(['append', 'sync'] as const)('(%s) closes the log for good', async (call) => {
    const { storage, log } = openLog();
    const kept = await commitOne(log, 'kept');
    append(log, 'lost');
    storage.failNext({ call, code: 'EIO' });
    expect(() => log.commit()).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
    const before = storage.changes;
    expect(() => log.claim(1)).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
    expect(() => log.commit()).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
    expect(() => log.write()).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
    expect(() => log.release(0)).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
    log.idle(0);
    await log.close();
    expect(storage.changes).toBe(before);
    storage.kill();
    expect(openLog(storage).found[0]).toEqual(kept);
  });

  it('names its cause', async () => {
    const { storage, log } = openLog();
    append(log, 'a');
    storage.failNext({ call: 'append', code: 'EIO' });
    const cause = expect.objectContaining({ code: 'EIO' });
    expect(() => log.commit()).toThrow(expect.objectContaining({ cause }));
  });

  it.each(['rename', 'syncDirectory'] as const)(
    '(%s) while a segment is begun does so too',
    async (call) => {
      const { storage, log } = openLog();
      await commitOne(log, 'kept');
      storage.failNext({ call, code: 'EIO' });
      const fill = () => {
        for (let i = 0; i < 20; i++) append(log, 'x'.repeat(1000));
      };
      expect(fill).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
      expect(() => log.commit()).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
      storage.kill();
      expect(openLog(storage).found[0]?.text).toBe('kept');
    },
  );
});

describe('a full disk', () => {
  /** Room for `segments` segments. */
  function small(segments: number) {
    const storage = new FaultyStorage({ capacityBytes: segments * SEGMENT_BYTES });
    return openLog(storage);
  }

  it('refuses a claim before anything of it is written, and keeps what was claimed', async () => {
    const { storage, log } = small(2);
    const written: TextRecord[] = [];
    const fill = () => {
      for (;;) written.push(append(log, `${written.length} `.repeat(100)));
    };
    expect(fill).toThrow(failure('CAPSTAN_DISK_FULL'));
    expect(fill).toThrow(failure('CAPSTAN_DISK_FULL'));
    await log.commit();
    storage.cutPower();
    expect(openLog(storage).found).toEqual(written);
  });

  it('is not written to the brim by claims that cannot succeed', () => {
    const { storage, log } = small(1);
    storage.setContent('/data/other', Buffer.alloc(1));
    const before = storage.changes;
    expect(() => log.claim(1)).toThrow(failure('CAPSTAN_DISK_FULL'));
    expect(storage.changes).toBe(before);
  });

  it('still takes small records where there is room for them', async () => {
    const { log } = small(1);
    const fill = () => {
      for (;;) append(log, 'x'.repeat(900));
    };
    expect(fill).toThrow(failure('CAPSTAN_DISK_FULL'));
    const record = await commitOne(log, 'small');
    expect(readText(log, record)).toBe('small');
  });

  it('is told while a segment is left to write to, and no longer once there is room', async () => {
    const { storage, log } = small(4);
    expect(log.spaceLow).toBe(false);
    while (log.currentRegion < 2) {
      expect(log.spaceLow).toBe(false);
      append(log, 'x'.repeat(1000));
    }
    expect(log.spaceLow).toBe(true);
    // What deletes and cleaning write still has room.
    for (let i = 0; i < 12; i++) append(log, 'x'.repeat(1000));
    await log.commit();
    expect(log.spaceLow).toBe(true);
    log.release(1);
    expect(log.spaceLow).toBe(false);
    storage.capacityBytes = 3 * SEGMENT_BYTES;
    while (log.currentRegion < 4) append(log, 'x'.repeat(1000));
    expect(log.spaceLow).toBe(true);
    storage.capacityBytes = 99 * SEGMENT_BYTES;
    log.idle(0);
    expect(log.spaceLow).toBe(false);
  });

  it('met while the file is made leaves the log usable', async () => {
    const { storage, log } = openLog();
    storage.failNext({ call: 'createZeroed', code: 'ENOSPC' });
    expect(() => log.claim(1)).toThrow(failure('CAPSTAN_DISK_FULL'));
    const record = await commitOne(log, 'later');
    storage.kill();
    expect(openLog(storage).found).toEqual([record]);
  });
});

describe('rotation', () => {
  it('takes a spare when there is one, and tells that it is gone', async () => {
    const storage = new FaultyStorage();
    storage.setContent('/data/log/spare-0a', Buffer.alloc(SEGMENT_BYTES, 0xee));
    const bench = openLog(storage);
    const { log } = bench;
    const record = await commitOne(log, 'a');
    expect(storage.paths()).toEqual([segmentPath(0)]);
    expect(bench.rotations()).toBe(1);
    storage.kill();
    expect(openLog(storage).found).toEqual([record]);
  });

  it('throws away a spare of the wrong size', async () => {
    const storage = new FaultyStorage();
    storage.setContent('/data/log/spare-0a', Buffer.alloc(SEGMENT_BYTES - 1));
    const { log } = openLog(storage);
    await commitOne(log, 'a');
    expect(storage.paths()).toEqual([segmentPath(0)]);
    expect(storage.content(segmentPath(0))).toHaveLength(SEGMENT_BYTES);
  });

  it('finds spares that were made after it looked last', async () => {
    const { storage, log } = openLog();
    await commitOne(log, 'a');
    storage.setContent('/data/log/spare-0a', Buffer.alloc(SEGMENT_BYTES));
    while (log.currentRegion === 0) append(log, 'x'.repeat(1000));
    expect(storage.paths()).toEqual([segmentPath(0), segmentPath(1)]);
  });
});

describe('regions', () => {
  async function withRegions(regions: number) {
    const bench = openLog();
    const records: TextRecord[] = [];
    while (bench.log.currentRegion < regions - 1) {
      records.push(await commitOne(bench.log, `${records.length} `.repeat(200)));
    }
    return { ...bench, records };
  }

  const regionOf = (record: TextRecord) => Math.floor(record.position / SEGMENT_BYTES);

  it('are scanned one by one', async () => {
    const { log, records } = await withRegions(3);
    for (const region of [0, 1, 2]) {
      const found: TextRecord[] = [];
      log.scan(region * SEGMENT_BYTES, SEGMENT_BYTES, (buffer, _view, offset, length, position) => {
        found.push({ text: buffer.latin1Slice(offset, offset + length), position });
      });
      expect(found).toEqual(records.filter((each) => regionOf(each) === region));
    }
  });

  it('are scanned a little at a time, without a gap', async () => {
    const { log, records } = await withRegions(3);
    const found: TextRecord[] = [];
    let calls = 0;
    for (let at: number | undefined = SEGMENT_BYTES; at !== undefined; calls++) {
      at = log.scan(at, 1500, (buffer, _view, offset, length, position) => {
        found.push({ text: buffer.latin1Slice(offset, offset + length), position });
      });
    }
    expect(found).toEqual(records.filter((each) => regionOf(each) === 1));
    expect(calls).toBeGreaterThan(3);
  });

  it('can be read and written to while one is scanned', async () => {
    const { log, records } = await withRegions(3);
    const copies: TextRecord[] = [];
    log.scan(0, SEGMENT_BYTES, (buffer, _view, offset, length, position) => {
      const record = { text: buffer.latin1Slice(offset, offset + length), position };
      expect(readText(log, record)).toBe(record.text);
      copies.push(append(log, record.text));
    });
    await log.commit();
    const expected = records.filter((each) => regionOf(each) === 0);
    expect(copies.map((each) => each.text)).toEqual(expected.map((each) => each.text));
    for (const copy of copies) expect(readText(log, copy)).toBe(copy.text);
  });

  it('that are released become spares, up to a bound, and do not come back', async () => {
    const { storage, log, records } = await withRegions(6);
    log.release(5);
    expect(log.firstRegion).toBe(5);
    const spares = storage.paths().filter((path) => path.includes('/spare-'));
    expect(spares).toHaveLength(2);
    expect(storage.paths()).toHaveLength(3);
    expect(log.storedBytes).toBe(3 * SEGMENT_BYTES);
    storage.kill();
    const kept = records.filter((each) => regionOf(each) === 5);
    expect(openLog(storage).found).toEqual(kept);
  });

  it('of the log are counted from the oldest to the one being written', async () => {
    const { log, records } = await withRegions(3);
    expect([log.firstRegion, log.currentRegion]).toEqual([0, 2]);
    log.release(99);
    expect([log.firstRegion, log.currentRegion]).toEqual([2, 2]);
    for (const record of records.filter((each) => regionOf(each) === 2)) {
      expect(readText(log, record)).toBe(record.text);
    }
  });

  it('that were all released are not counted anew', async () => {
    const { storage, log, records } = await withRegions(3);
    await log.close();
    storage.kill();
    const second = openLog(storage);
    second.log.release(second.log.currentRegion);
    await second.log.close();
    storage.kill();
    const third = openLog(storage);
    const next = await commitOne(third.log, 'next');
    expect(next.position).toBeGreaterThan(records.at(-1)!.position);
  });

  it('that are not held are a defect of the caller', async () => {
    const { log } = await withRegions(3);
    log.release(1);
    expect(() => log.scan(0, SEGMENT_BYTES, () => {})).toThrow(InvariantError);
    expect(() => log.read(100, 1)).toThrow(InvariantError);
    expect(() => log.scan(3 * SEGMENT_BYTES, 1, () => {})).toThrow(InvariantError);
  });

  it('damaged since are told with file and offset, by a read and by a scan', async () => {
    const { storage, log, records } = await withRegions(4);
    const record = records[1]!;
    const frame = (record.position % SEGMENT_BYTES) - 44;
    storage.corrupt(segmentPath(0), record.position % SEGMENT_BYTES, (byte) => byte ^ 4);
    const damage = expect.objectContaining({
      code: 'CAPSTAN_LOG_CORRUPT',
      message: expect.stringContaining(`${segmentPath(0)}, offset ${frame}: `),
    });
    expect(readText(log, records[0]!)).toBe(records[0]!.text);
    expect(() => readText(log, record)).toThrow(damage);
    expect(() => readText(log, record)).toThrow(damage);
    expect(() => log.scan(0, SEGMENT_BYTES, () => {})).toThrow(damage);
    expect(readText(log, records[0]!)).toBe(records[0]!.text);
  });
});

describe('a closed log', () => {
  it('has committed everything, and takes nothing more', async () => {
    const { storage, log } = openLog();
    const record = append(log, 'a');
    await log.close();
    await log.close();
    expect(() => log.claim(1)).toThrow(failure('CAPSTAN_CLOSED'));
    storage.cutPower();
    expect(openLog(storage).found).toEqual([record]);
  });
});

describe('a log on a real disk', () => {
  it('gives back what was written, over many segments and starts', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'capstan-wal-'));
    try {
      const settings = { directory: join(directory, 'log'), storage: NODE_STORAGE };
      const written: TextRecord[] = [];
      for (let start = 0; start < 3; start++) {
        const { log, found } = openLog(undefined, settings);
        expect(found).toEqual(written);
        for (let i = 0; i < 100; i++) {
          written.push(append(log, `${start}.${i} `.repeat(1 + (i % 97))));
          if (i % 7 === 0) await log.commit();
        }
        for (const record of written) expect(readText(log, record)).toBe(record.text);
        await log.close();
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('uses the machine as it is when nothing else is asked for', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'capstan-wal-'));
    try {
      const durability = { mode: 'fsync' } as const;
      const settings = { directory, segmentBytes: 4096, windowBytes: 4096, durability };
      const { log } = openWal(settings, () => {});
      await commitOne(log, 'a');
      await log.close();
      const texts: string[] = [];
      const again = openWal(settings, (buffer, _view, offset, length) =>
        texts.push(buffer.latin1Slice(offset, offset + length)),
      );
      expect(texts).toEqual(['a']);
      await again.log.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
