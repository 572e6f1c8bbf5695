/* A log on a faulty disk, with records of text. */

import type { Log, LogPosition } from '../../src/log/log.ts';
import type { RecoveryReport } from '../../src/log/wal/recovery.ts';
import { openWal, type WalSettings } from '../../src/log/wal/wal.ts';
import { FaultyStorage } from './faulty-storage.ts';
import { seededRandom } from './seeded-random.ts';

export const LOG_DIRECTORY = '/data/log';

/** A record's text and the position of its first byte. */
export interface TextRecord {
  readonly text: string;
  readonly position: LogPosition;
}

export interface LogBench {
  readonly storage: FaultyStorage;
  readonly log: Log;
  readonly report: RecoveryReport;
  /** What was replayed. */
  readonly found: readonly TextRecord[];
  /** How often the log has told that it has begun a segment. */
  rotations(): number;
}

export function openLog(
  storage = new FaultyStorage(),
  settings: Partial<WalSettings> = {},
): LogBench {
  const found: TextRecord[] = [];
  let rotations = 0;
  const random = seededRandom(storage.changes + 77);
  const { log, report } = openWal(
    {
      directory: LOG_DIRECTORY,
      segmentBytes: 8192,
      windowBytes: 4096,
      frameBytes: 512,
      durability: { mode: 'fsync' },
      storage,
      randomWord: () => random.word(),
      onRotate: () => rotations++,
      ...settings,
    },
    (buffer, _view, offset, length, position) => {
      found.push({ text: buffer.latin1Slice(offset, offset + length), position });
    },
  );
  return { storage, log, report, found, rotations: () => rotations };
}

/** Claims a record of this text. */
export function append(log: Log, text: string): TextRecord {
  const at = log.claim(text.length);
  log.buffer.write(text, at, 'latin1');
  return { text, position: log.claimedPosition };
}

/** Claims and commits a record. */
export async function commitOne(log: Log, text: string): Promise<TextRecord> {
  const record = append(log, text);
  await log.commit();
  return record;
}

/** The text of the record at `position`. */
export function readText(log: Log, { position, text }: TextRecord): string {
  log.read(position, text.length);
  return log.readBuffer.latin1Slice(log.readOffset, log.readOffset + text.length);
}

export function segmentPath(index: number): string {
  return `${LOG_DIRECTORY}/segment-${String(index).padStart(12, '0')}`;
}
