import { describe, expect, it } from 'vitest';
import { FaultyStorage } from '../../../support/faulty-storage.ts';
import { HeldSyncer } from '../../../support/held-syncer.ts';
import { append, openLog, readText } from '../../../support/log-bench.ts';

function failure(code: string) {
  return expect.objectContaining({ code });
}

describe('a commit that was begun', () => {
  function openHeld(storage = new FaultyStorage()) {
    const hold = { on: true };
    const syncer = new HeldSyncer(() => hold.on);
    return { hold, syncer, ...openLog(storage, { syncer }) };
  }

  it('is under way until its sync has ended, and covers what was claimed before it', async () => {
    const { hold, storage, log } = openHeld();
    const first = append(log, 'first');
    log.beginCommit();
    expect(log.commitsUnderWay()).toBe(1);
    expect(log.dirty).toBe(false);
    const second = append(log, 'second');
    expect(readText(log, first)).toBe('first');
    expect(log.dirty).toBe(true);
    log.write();
    hold.on = false;
    expect(log.commitsUnderWay()).toBe(0);
    expect(log.dirty).toBe(true);
    storage.cutPower();
    const { found } = openLog(storage);
    expect(found[0]).toEqual(first);
    expect([first, second]).toEqual(expect.arrayContaining([...found]));
  });

  it('is waited for by whatever else has to be on disk', () => {
    const { storage, log } = openHeld();
    const records = [append(log, 'begun')];
    log.beginCommit();
    records.push(append(log, 'waits'));
    expect(log.commit()).toBeUndefined();
    expect(log.commitsUnderWay()).toBe(0);
    append(log, 'third');
    log.beginCommit();
    // Another segment begins only behind one that is on disk whole.
    for (let i = 0; i < 10; i++) append(log, 'x'.repeat(1000));
    expect(log.commitsUnderWay()).toBe(0);
    storage.cutPower();
    expect(openLog(storage).found.slice(0, 2)).toEqual(records);
  });

  it('closes the log for good when its sync fails', () => {
    const { hold, storage, log } = openHeld();
    append(log, 'lost');
    log.beginCommit();
    storage.failNext({ call: 'sync', code: 'EIO' });
    hold.on = false;
    expect(() => log.commitsUnderWay()).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
    expect(() => log.claim(1)).toThrow(failure('CAPSTAN_LOG_WRITE_FAILED'));
  });

  it('is done at once while its syncer gets ready, or there is none', () => {
    for (const settings of [{}, { syncer: new HeldSyncer(() => true) }]) {
      if (settings.syncer !== undefined) settings.syncer.ready = false;
      const { storage, log } = openLog(undefined, settings);
      const record = append(log, 'one');
      log.beginCommit();
      expect(log.commitsUnderWay()).toBe(0);
      storage.cutPower();
      expect(openLog(storage).found).toEqual([record]);
    }
  });
});
