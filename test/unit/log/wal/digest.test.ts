import { describe, expect, it } from 'vitest';
import { type DigestRecord, writeNextDigest } from '../../../../src/log/wal/digest.ts';
import { FaultyStorage } from '../../../support/faulty-storage.ts';
import {
  append,
  commitOne,
  LOG_DIRECTORY,
  openLog,
  readText,
  segmentPath,
  type TextRecord,
} from '../../../support/log-bench.ts';

const SEGMENT_BYTES = 8192;
const VERSION = 7;
const WITH_DIGESTS = { digestContentVersion: VERSION };
const DIGEST_PATH = `${LOG_DIRECTORY}/digest-000000000000`;

/** Keeps the first three bytes of a record; drops one whose text ends in an odd digit. */
const shorten: DigestRecord = (sink, buffer, _view, offset, length) => {
  if (buffer[offset + length - 1]! % 2 === 1) return;
  const kept = Math.min(length, 3);
  const at = sink.claim(kept);
  buffer.copy(sink.buffer, at, offset, offset + kept);
};

const keepAll: DigestRecord = (sink, buffer, _view, offset, length) => {
  const at = sink.claim(length);
  buffer.copy(sink.buffer, at, offset, offset + length);
};

function write(
  storage: FaultyStorage,
  digestRecord = shorten,
  segmentsLeftAlone = 1,
): number | undefined {
  const task = { directory: LOG_DIRECTORY, contentVersion: VERSION, segmentsLeftAlone };
  return writeNextDigest(storage, task, digestRecord);
}

async function logOfSegments(segments: number) {
  const { storage, log } = openLog();
  const records: TextRecord[] = [];
  while (log.currentRegion < segments - 1) {
    const number = String(records.length);
    records.push(await commitOne(log, `${number}:`.padEnd(200, '.') + number));
  }
  return { storage, log, records };
}

const regionOf = ({ position }: TextRecord) => Math.floor(position / SEGMENT_BYTES);

function shortened(record: TextRecord): TextRecord[] {
  const { text, position } = record;
  if (Number(text.at(-1)) % 2 === 1) return [];
  return [{ text: text.slice(0, 3), position }];
}

describe('a digest', () => {
  it('is replayed instead of its segment: what was kept, at the positions of old', async () => {
    const { storage, records } = await logOfSegments(3);
    expect(write(storage)).toBe(0);
    storage.kill();
    const { found, report } = openLog(storage, WITH_DIGESTS);
    const expected = records.flatMap((each) => (regionOf(each) === 0 ? shortened(each) : [each]));
    expect(found).toEqual(expected);
    expect(report).toMatchObject({ segments: 3, digests: 1, records: records.length });
    expect(report.frames).toBe(records.length);
  });

  it('spares the reading of its segment, and lets every record be read back', async () => {
    const { storage, records } = await logOfSegments(3);
    write(storage);
    write(storage);
    storage.kill();
    // The headers of the two segments and their sizes are all that is looked at.
    const { log } = openLog(storage, WITH_DIGESTS);
    for (const record of records) expect(readText(log, record)).toBe(record.text);
    const scanned: string[] = [];
    log.scan(0, SEGMENT_BYTES, (buffer, _view, offset, length) =>
      scanned.push(buffer.latin1Slice(offset, offset + length)),
    );
    const expected = records.filter((each) => regionOf(each) === 0).map((each) => each.text);
    expect(scanned).toEqual(expected);
  });

  it('may keep more than a buffer full', async () => {
    const { storage, log } = openLog(undefined, { segmentBytes: 4 << 20, windowBytes: 1 << 20 });
    const records: TextRecord[] = [];
    while (log.currentRegion === 0) records.push(await commitOne(log, 'x'.repeat(40_000)));
    expect(write(storage, keepAll)).toBe(0);
    storage.kill();
    expect(openLog(storage, WITH_DIGESTS).found).toEqual(records);
  });

  it('of another content, or that is not asked for, is left alone', async () => {
    const { storage, records } = await logOfSegments(3);
    write(storage);
    storage.kill();
    expect(openLog(storage, { digestContentVersion: VERSION + 1 }).found).toEqual(records);
    storage.kill();
    expect(openLog(storage).found).toEqual(records);
  });

  it('with any byte changed, or cut off anywhere, costs time and nothing else', async () => {
    const { storage, records } = await logOfSegments(2);
    write(storage);
    const digest = storage.content(DIGEST_PATH);
    const check = (content: Buffer, where: string) => {
      const copy = storage.copy();
      copy.setContent(DIGEST_PATH, content);
      const { found, report } = openLog(copy, WITH_DIGESTS);
      expect(found, where).toEqual(records);
      expect(report.digests, where).toBe(0);
    };
    for (let offset = 0; offset < digest.length; offset++) {
      const changed = Buffer.from(digest);
      changed[offset]! ^= 0x10;
      // Bytes 72 to 75 are covered by the header's checksum as well.
      check(changed, `byte ${offset}`);
      check(digest.subarray(0, offset), `cut at ${offset}`);
    }
  });

  it('that cannot be read costs time and nothing else', async () => {
    const { storage, records } = await logOfSegments(3);
    write(storage);
    storage.kill();
    storage.failNext({ call: 'read', code: 'EIO', path: /digest/ });
    expect(openLog(storage, WITH_DIGESTS).found).toEqual(records);
  });

  it('of an earlier use of the same index is not used', async () => {
    const first = await logOfSegments(3);
    write(first.storage);
    const second = await logOfSegments(3);
    second.storage.changes += 1;
    const stale = first.storage.content(DIGEST_PATH);
    // The same records under another salt.
    const { storage, log } = openLog(undefined, { randomWord: () => 99 });
    const records: TextRecord[] = [];
    for (const { text } of first.records) records.push(await commitOne(log, text));
    while (log.currentRegion < 2) records.push(await commitOne(log, 'more'));
    storage.kill();
    storage.setContent(DIGEST_PATH, stale);
    expect(openLog(storage, WITH_DIGESTS).found).toEqual(records);
  });
});

describe('writing digests', () => {
  it('takes the oldest segment that lacks one, and leaves the newest alone', async () => {
    const { storage } = await logOfSegments(5);
    expect([write(storage, shorten, 3), write(storage, shorten, 3)]).toEqual([0, 1]);
    expect(write(storage, shorten, 3)).toBeUndefined();
    expect([write(storage, shorten, 0), write(storage, shorten, 0)]).toEqual([2, 3]);
    // The segment that is being written never has one.
    expect(write(storage, shorten, 0)).toBeUndefined();
  });

  it('finds damage in the segment, and makes no digest of it', async () => {
    const { storage, records } = await logOfSegments(3);
    storage.corrupt(segmentPath(0), records[0]!.position, (byte) => byte ^ 1);
    const corrupt = expect.objectContaining({ code: 'CAPSTAN_LOG_CORRUPT' });
    expect(() => write(storage)).toThrow(corrupt);
    expect(storage.paths().filter((path) => path.includes('digest'))).toEqual([]);
  });

  it('that is broken off at any call leaves a log that opens', async () => {
    const { storage, records } = await logOfSegments(3);
    storage.kill();
    for (let call = 1; call <= 6; call++) {
      for (const end of ['kill', 'cutPower'] as const) {
        const copy = storage.copy(call);
        copy.dieAtChange = call;
        try {
          write(copy, keepAll);
        } catch (error) {
          expect(error).toMatchObject({ name: 'ProcessDied' });
        }
        copy[end]();
        expect(openLog(copy, WITH_DIGESTS).found).toEqual(records);
      }
    }
  });
});

describe('a segment that is given up', () => {
  it('takes its digest with it', async () => {
    const { storage, log } = await logOfSegments(3);
    write(storage);
    log.release(1);
    expect(storage.paths().filter((path) => path.includes('digest'))).toEqual([]);
  });

  it('before a crash is not missed by its digest, which the next start removes', async () => {
    const { storage, log } = await logOfSegments(3);
    write(storage);
    const orphan = storage.content(DIGEST_PATH);
    log.release(1);
    storage.kill();
    storage.setContent(DIGEST_PATH, orphan);
    openLog(storage, WITH_DIGESTS);
    expect(storage.paths().filter((path) => path.includes('digest'))).toEqual([]);
  });
});

describe('a digest that is gathered while its segment is written', () => {
  const gathering = (isWanted: () => boolean) => {
    const digests = new Map<number, Buffer>();
    const onDigest = (index: number, digest: Buffer) => void digests.set(index, digest);
    const liveDigest = { contentVersion: VERSION, digestRecord: shorten, isWanted, onDigest };
    return { digests, settings: { liveDigest } };
  };

  const fillTo = async (log: ReturnType<typeof openLog>['log'], region: number) => {
    for (let i = 0; log.currentRegion < region; i++) {
      // Some frames have more than one record.
      if (i % 3 === 0) append(log, `${i}`.padEnd(40, '.'));
      await commitOne(log, `${i}:`.padEnd(200, '.') + i);
    }
  };

  it('is what reading the segment comes to, byte for byte', async () => {
    const { digests, settings } = gathering(() => true);
    const { storage, log } = openLog(undefined, settings);
    await fillTo(log, 3);
    expect([...digests.keys()]).toEqual([0, 1, 2]);
    for (const [index, digest] of digests) {
      expect(write(storage)).toBe(index);
      const path = DIGEST_PATH.replace(/0$/, String(index));
      expect(digest.equals(storage.content(path))).toBe(true);
    }
  });

  it('is of segments that were wanted when they began, and never of a part of one', async () => {
    let wanted = false;
    const { digests, settings } = gathering(() => wanted);
    const { storage, log } = openLog(undefined, settings);
    await commitOne(log, 'first');
    wanted = true;
    await fillTo(log, 2);
    expect([...digests.keys()]).toEqual([1]);
    storage.kill();
    const { log: again } = openLog(storage, settings);
    await fillTo(again, 4);
    expect([...digests.keys()]).toEqual([1, 3]);
  });
});
