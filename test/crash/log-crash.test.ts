/* A log at work on a disk that fails under it: the process dies, or the power is cut, at every call
 * that changes the disk. What comes back is what was written, without a gap, and all of it that was
 * acknowledged. */

import { describe, expect, it } from 'vitest';
import type { Durability } from '../../src/base/durability.ts';
import { type DigestRecord, writeNextDigest } from '../../src/log/wal/digest.ts';
import { FaultyStorage, ProcessDied } from '../support/faulty-storage.ts';
import {
  append,
  LOG_DIRECTORY,
  type LogBench,
  openLog,
  type TextRecord,
} from '../support/log-bench.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';

const SEGMENT_BYTES = 4096;
const WINDOW_BYTES = 4096;

const DIGESTS = { directory: LOG_DIRECTORY, contentVersion: 1, segmentsLeftAlone: 1 };

const keepAll: DigestRecord = (sink, buffer, _view, offset, length) => {
  const at = sink.claim(length);
  buffer.copy(sink.buffer, at, offset, offset + length);
};

/** What a log must hold: everything claimed in this life, of which so much is certain. */
interface Ledger {
  claimed: TextRecord[];
  /** So many of `claimed` were acknowledged as durable. */
  acknowledged: number;
  /** Regions before this one may be gone. */
  released: number;
}

/** One life of a process: opens the log, checks what it finds, and works until it dies. */
async function live(
  storage: FaultyStorage,
  ledger: Ledger,
  random: SeededRandom,
  durability: Durability,
  steps: number,
): Promise<void> {
  const bench = openLog(storage, {
    segmentBytes: SEGMENT_BYTES,
    windowBytes: WINDOW_BYTES,
    durability,
    digestContentVersion: DIGESTS.contentVersion,
  });
  checkFound(bench, ledger);
  ledger.claimed = [...bench.found];
  ledger.acknowledged = ledger.claimed.length;
  for (let step = 0; step < steps; step++) await work(bench, ledger, random, durability);
  await bench.log.close();
  ledger.acknowledged = ledger.claimed.length;
}

function checkFound({ found }: LogBench, ledger: Ledger): void {
  const { claimed, acknowledged, released } = ledger;
  const first = found[0]?.position ?? Number.POSITIVE_INFINITY;
  const from = claimed.findIndex(({ position }) => position >= first);
  const start = from === -1 ? claimed.length : from;
  // Without a gap.
  expect(found).toEqual(claimed.slice(start, start + found.length));
  // All that was acknowledged, but what was given up.
  const needed = claimed.findIndex(
    ({ position }) => Math.floor(position / SEGMENT_BYTES) >= released,
  );
  const neededFrom = needed === -1 ? claimed.length : needed;
  if (neededFrom < acknowledged) expect(start).toBeLessThanOrEqual(neededFrom);
  expect(start + found.length).toBeGreaterThanOrEqual(acknowledged);
}

async function work(
  { log, storage }: LogBench,
  ledger: Ledger,
  random: SeededRandom,
  durability: Durability,
): Promise<void> {
  const records = 1 + random.below(4);
  for (let i = 0; i < records; i++) {
    const text = `${ledger.claimed.length}:`.padEnd(1 + random.below(300), '.');
    ledger.claimed.push(append(log, text));
  }
  if (random.oneIn(4)) log.write();
  await log.commit();
  if (durability.mode === 'fsync') ledger.acknowledged = ledger.claimed.length;
  if (random.oneIn(5)) log.idle(0);
  if (random.oneIn(5)) writeNextDigest(storage, DIGESTS, keepAll);
  if (random.oneIn(8) && log.currentRegion > log.firstRegion) {
    const region = log.firstRegion + 1 + random.below(log.currentRegion - log.firstRegion);
    ledger.released = Math.max(ledger.released, region);
    log.release(region);
    ledger.acknowledged = ledger.claimed.length;
  }
}

/** Runs a life that may end by the death it is due, or by a disk that fails. */
async function liveAndDie(life: Promise<void>): Promise<void> {
  try {
    await life;
  } catch (error) {
    if (!isDeath(error)) throw error;
  }
}

function isDeath(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof ProcessDied || ('code' in error && error.code === 'EIO')) return true;
  return error.cause !== undefined && isDeath(error.cause);
}

/** Lets some later call fail. */
function failOnce(storage: FaultyStorage, random: SeededRandom): void {
  const calls = ['append', 'sync', 'sync', 'writeAt', 'rename', 'syncDirectory'] as const;
  const call = calls[random.below(calls.length)]!;
  storage.failNext({ call, code: 'EIO', after: random.below(20) });
}

const ENDS: Readonly<Record<string, (storage: FaultyStorage) => void>> = {
  'the process is killed': (storage) => storage.kill(),
  'the power is cut': (storage) => storage.cutPower(),
  'one or the other happens': (storage) => {
    if (storage.changes % 2 === 0) storage.kill();
    else storage.cutPower();
  },
};

describe.each(Object.keys(ENDS))('when %s', (end) => {
  it('at any change of the disk, nothing acknowledged is lost', async () => {
    const steps = 30;
    let dieAt = 1;
    for (let alive = false; !alive; dieAt++) {
      const storage = new FaultyStorage({ seed: dieAt });
      const random = seededRandom(5);
      const ledger: Ledger = { claimed: [], acknowledged: 0, released: 0 };
      storage.dieAtChange = dieAt;
      const life = live(storage, ledger, random, { mode: 'fsync' }, steps);
      await liveAndDie(life);
      alive = storage.changes < dieAt;
      ENDS[end]!(storage);
      await live(storage, ledger, random, { mode: 'fsync' }, 2);
    }
    expect(dieAt).toBeGreaterThan(60);
  });

  it.each(['fsync', 'none'] as const)(
    'again and again, with durability %s, the log stays whole',
    async (mode) => {
      for (let seed = 1; seed <= 60; seed++) {
        const random = seededRandom(seed);
        const storage = new FaultyStorage({ seed });
        const ledger: Ledger = { claimed: [], acknowledged: 0, released: 0 };
        for (let life = 0; life < 6; life++) {
          storage.dieAtChange = storage.changes + 1 + random.below(60);
          if (random.oneIn(3)) failOnce(storage, random);
          await liveAndDie(live(storage, ledger, random, { mode }, 25));
          ENDS[end]!(storage);
        }
        await live(storage, ledger, random, { mode }, 1);
      }
    },
  );
});
