import { expect, test } from 'vitest';
import { openWal } from '../../../../src/log/wal/wal.ts';
import { FaultyStorage } from '../../../support/faulty-storage.ts';

const DIRECTORY = '/log';

function open(storage: FaultyStorage): { append: (byte: number) => void; found: number[] } {
  const found: number[] = [];
  const { log } = openWal(
    {
      directory: DIRECTORY,
      segmentBytes: 4096,
      windowBytes: 4096,
      durability: { mode: 'fsync' },
      storage,
      clock: () => 0,
      randomWord: () => 7,
    },
    (buffer, _view, offset) => found.push(buffer[offset]!),
  );
  const append = (byte: number) => {
    const at = log.claim(8);
    log.buffer.fill(byte, at, at + 8);
    void log.commit();
  };
  return { append, found };
}

test('a segment whose name a dead process left unsynced keeps what is acknowledged in it', () => {
  for (let dieAt = 1; dieAt <= 8; dieAt++) {
    for (let seed = 1; seed <= 8; seed++) {
      const storage = new FaultyStorage({ seed });
      const first = open(storage);
      storage.dieAtChange = dieAt;
      expect(() => {
        for (let byte = 1; byte < 10; byte++) first.append(byte);
      }).toThrow();
      storage.kill();
      const second = open(storage);
      second.append(100);
      storage.cutPower();
      expect(open(storage).found).toContain(100);
    }
  }
});
