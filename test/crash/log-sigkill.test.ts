/* A process that writes to a log on a real disk is killed, again and again: what it had told to be
 * durable is there, and nothing that it did not write. Runs the built package. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataFolder } from '../../src/log/wal/data-folder.ts';
import { openWal } from '../../src/log/wal/wal.ts';

const DIST = new URL('../../dist/log/wal/', import.meta.url).href;
const SETTINGS = {
  segmentBytes: 256 * 1024,
  windowBytes: 64 * 1024,
  durability: { mode: 'fsync' },
} as const;

/** Goes on counting where the log ends, ten numbers a commit, and tells the last durable one. */
const WRITER = `
  import { openDataFolder } from '${DIST}data-folder.js';
  import { openWal } from '${DIST}wal.js';
  const folder = openDataFolder(process.argv[2], { partitions: 1 });
  let next = 0;
  const directory = folder.partitionDirectory(0);
  const settings = { ...${JSON.stringify(SETTINGS)}, directory };
  const { log } = openWal(settings, (buffer, view, offset) => {
    next = view.getUint32(offset, true) + 1;
  });
  const commit = () => {
    for (let i = 0; i < 10; i++) log.view.setUint32(log.claim(4 + (next % 997)), next++, true);
    log.commit();
    process.stdout.write(next - 1 + '\\n', () => setImmediate(commit));
  };
  commit();
`;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'capstan-sigkill-'));
  writeFileSync(join(root, 'writer.mjs'), WRITER);
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** Lets a writer commit so many times, kills it, and returns the last number that it told of. */
async function writeUntilKilled(folder: string, commits: number): Promise<number> {
  const writer = spawn(process.execPath, [join(root, 'writer.mjs'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(writer, 'exit');
  let told = -1;
  let lines = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    told = Number(line);
    if (++lines === commits) writer.kill('SIGKILL');
  }
  const [, signal] = (await ended) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return told;
}

function numbersIn(folder: string): number[] {
  const held = openDataFolder(folder, { partitions: 1 });
  const numbers: number[] = [];
  const directory = held.partitionDirectory(0);
  const { log } = openWal({ ...SETTINGS, directory }, (_buffer, view, offset) =>
    numbers.push(view.getUint32(offset, true)),
  );
  void log.close();
  held.close();
  return numbers;
}

describe('a process that is killed as it writes', () => {
  it('loses nothing that it has told to be durable, however often', async () => {
    const folder = join(root, 'data');
    for (const commits of [1, 40, 90, 7, 60]) {
      const told = await writeUntilKilled(folder, commits);
      const numbers = numbersIn(folder);
      expect(numbers).toEqual(numbers.map((_, index) => index));
      expect(numbers.length).toBeGreaterThan(told);
    }
  });
});
