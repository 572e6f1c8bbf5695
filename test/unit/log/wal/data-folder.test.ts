import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataFolder } from '../../../../src/log/wal/data-folder.ts';
import { identityOf, ownIdentity } from '../../../../src/log/wal/process-identity.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-folder-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function open(partitions = 3) {
  return openDataFolder(folder, { partitions });
}

function rejection(code: string, words: RegExp) {
  return expect.objectContaining({ code, message: expect.stringMatching(words) });
}

/** Leaves a lock behind as a process that held the folder would. */
function plantLock(fields: object, number = 1): void {
  const content = { ...ownIdentity(), givenBack: false, ...fields };
  writeFileSync(join(folder, `lock-00000000${number}`), JSON.stringify(content));
}

function deadPid(): number {
  return spawnSync(process.execPath, ['--version']).pid;
}

describe('a data folder', () => {
  it('keeps its number of partitions and its secret', () => {
    const first = open(3);
    expect(first.partitions).toBe(3);
    expect(first.secret).toHaveLength(32);
    first.close();
    const again = open(5);
    expect(again.partitions).toBe(3);
    expect(again.secret).toEqual(first.secret);
    again.close();
  });

  it('has secrets that differ from folder to folder', () => {
    const one = open();
    const other = openDataFolder(join(folder, 'other'), { partitions: 1 });
    expect(other.secret).not.toEqual(one.secret);
    other.close();
    one.close();
  });

  it('gives every partition and the catalog a directory of its own', () => {
    const held = open();
    const all = [held.partitionDirectory(0), held.partitionDirectory(1), held.catalogDirectory];
    expect(new Set(all).size).toBe(3);
    held.close();
  });

  it('is made with the directories above it', () => {
    const deep = openDataFolder(join(folder, 'a/b/c'), { partitions: 1 });
    expect(readdirSync(join(folder, 'a/b/c'))).toContain('capstan.json');
    deep.close();
  });

  it('that the system does not let be is no defect, and says what is wrong', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => openDataFolder(join(file, 'data'), { partitions: 1 })).toThrow(
      rejection('CAPSTAN_LOG_WRITE_FAILED', /cannot be used: ENOTDIR/),
    );
  });

  it('of a later format is refused', () => {
    open().close();
    const path = join(folder, 'capstan.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"format": 1', '"format": 2'));
    expect(() => open()).toThrow(rejection('CAPSTAN_FORMAT_UNSUPPORTED', /capstan\.json/));
  });

  it.each(['', '{', 'null', '{"format":1}', '{"format":1,"partitions":0,"secret":"00"}'])(
    'with the metadata %j is refused as damaged',
    (text) => {
      writeFileSync(join(folder, 'capstan.json'), text);
      expect(() => open()).toThrow(rejection('CAPSTAN_LOG_CORRUPT', /capstan\.json is damaged/));
    },
  );

  it('with logs but without metadata is refused', () => {
    mkdirSync(join(folder, 'partition-00'));
    expect(() => open()).toThrow(rejection('CAPSTAN_LOG_CORRUPT', /capstan\.json is missing/));
  });

  it('that was refused can be opened once it is repaired', () => {
    writeFileSync(join(folder, 'capstan.json'), '{');
    expect(() => open()).toThrow();
    rmSync(join(folder, 'capstan.json'));
    open().close();
  });
});

describe('the lock of a data folder', () => {
  it('refuses a second opener, and names the process that holds it', () => {
    const held = open();
    const names = new RegExp(`process ${process.pid}\\b`);
    expect(() => open()).toThrow(rejection('CAPSTAN_DATA_FOLDER_LOCKED', names));
    held.close();
    open().close();
  });

  it('is given back once, however often the folder is closed', () => {
    const first = open();
    first.close();
    const second = open();
    first.close();
    expect(() => open()).toThrow(rejection('CAPSTAN_DATA_FOLDER_LOCKED', /in use/));
    second.close();
  });

  it('of a process that is gone is taken over', () => {
    plantLock({ pid: deadPid() });
    open().close();
  });

  it('of a process whose id another one has now is taken over', () => {
    plantLock({ startedAt: 'earlier' });
    open().close();
  });

  it('from before the machine was started anew is taken over', () => {
    plantLock({ boot: 'earlier' });
    open().close();
  });

  it('with unreadable content is taken over', () => {
    writeFileSync(join(folder, 'lock-000000001'), '{');
    open().close();
  });

  it('from another machine that shows no sign of life is taken over', () => {
    plantLock({ host: 'another' });
    open().close();
  });

  it('leaves no more than one file, however often the folder is opened', () => {
    for (let i = 0; i < 5; i++) open().close();
    const locks = readdirSync(folder).filter((name) => name.startsWith('lock'));
    expect(locks).toEqual(['lock-000000005']);
  });

  it('removes what a crash has left half-made', () => {
    writeFileSync(join(folder, 'capstan.json.0123456789ab.temporary'), '{');
    open().close();
    expect(readdirSync(folder).filter((name) => name.endsWith('temporary'))).toEqual([]);
  });

  it('refuses while another process holds it, and not after that was killed', async () => {
    const holder = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    await once(holder, 'spawn');
    plantLock(identityOf(holder.pid!));
    const names = new RegExp(`process ${holder.pid}\\b`);
    expect(() => open()).toThrow(rejection('CAPSTAN_DATA_FOLDER_LOCKED', names));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    open().close();
  });
});
