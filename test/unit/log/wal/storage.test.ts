import nodeFs, { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isDiskFull, isMissing, NODE_STORAGE } from '../../../../src/log/wal/storage.ts';

let directory: string;
let path: string;
const { ftruncateSync, writeSync } = nodeFs;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'capstan-storage-'));
  path = join(directory, 'file');
});

afterEach(() => {
  useWrite(writeSync);
  rmSync(directory, { recursive: true });
});

type Write = (fd: number, bytes: Buffer, ...rest: number[]) => number;

/** Puts `write` in the place of the system's. */
function useWrite(write: unknown): void {
  nodeFs.writeSync = write as typeof writeSync;
  syncBuiltinESMExports();
}

const systemWrite = writeSync as Write;

/** A system that writes at most so many bytes at a time. */
function shortWrites(bytesMax: number): Write {
  return (fd, bytes, offset = 0, length = bytes.length - offset, position) => {
    const part = Math.min(length, bytesMax);
    return position === undefined
      ? systemWrite(fd, bytes, offset, part)
      : systemWrite(fd, bytes, offset, part, position);
  };
}

function refusing(code: string, afterBytes = 0): Write {
  let written = 0;
  return (fd, bytes, ...rest) => {
    if (written >= afterBytes) throw Object.assign(new Error(code), { code });
    written += bytes.length;
    return systemWrite(fd, bytes, ...rest);
  };
}

function zeroed(bytes = 100) {
  NODE_STORAGE.createZeroed(path, bytes);
  return NODE_STORAGE.open(path, 'write');
}

describe('a file', () => {
  it('takes appended bytes one behind the other, from its start', () => {
    const file = zeroed();
    file.append(Buffer.from('one'));
    file.append(Buffer.from('two'));
    file.sync();
    expect(file.size()).toBe(100);
    file.close();
    expect(readFileSync(path).subarray(0, 8).toString('latin1')).toBe('onetwo\0\0');
  });

  it('takes appended bytes where it was told to', () => {
    zeroed(3 * 1024 * 1024).close();
    const file = NODE_STORAGE.open(path, 'write', 2 * 1024 * 1024 + 5);
    file.append(Buffer.from('one'));
    file.append(Buffer.from('two'));
    file.close();
    const content = readFileSync(path);
    expect(content).toHaveLength(3 * 1024 * 1024);
    expect(content.indexOf('onetwo')).toBe(2 * 1024 * 1024 + 5);
  });

  it('is written whole, however little the system takes at a time', () => {
    const file = zeroed();
    useWrite(shortWrites(3));
    file.append(Buffer.from('appended bytes, '));
    file.append(Buffer.from('and more'));
    file.writeAt(Buffer.from('written in place'), 50);
    file.close();
    const content = readFileSync(path, 'latin1');
    expect(content.startsWith('appended bytes, and more\0')).toBe(true);
    expect(content.slice(50, 66)).toBe('written in place');
  });

  it.each(['EIO', 'EAGAIN', 'ENOSPC'])(
    'hands %s of the system on, and does not try again',
    (code) => {
      const file = zeroed();
      file.append(Buffer.from('kept'));
      let attempts = 0;
      useWrite(() => {
        attempts++;
        throw Object.assign(new Error(code), { code });
      });
      expect(() => file.append(Buffer.from('lost'))).toThrow(expect.objectContaining({ code }));
      expect(attempts).toBe(1);
      file.close();
    },
  );

  it('is read up to its end', () => {
    const file = zeroed(10);
    file.append(Buffer.from('0123456789'));
    const target = Buffer.alloc(8, '.');
    expect(file.read(target, 1, 4, 2)).toBe(4);
    expect(target.toString('latin1')).toBe('.2345...');
    expect(file.read(target, 0, 8, 7)).toBe(3);
    expect(file.read(target, 0, 8, 10)).toBe(0);
    file.close();
  });
});

describe('a file of zeros', () => {
  it.each([true, false])('has its size and nothing in it (hurried: %s)', (hurried) => {
    NODE_STORAGE.createZeroed(path, 3 * 1024 * 1024 + 17, hurried);
    const content = readFileSync(path);
    expect(content).toHaveLength(3 * 1024 * 1024 + 17);
    expect(content.every((byte) => byte === 0)).toBe(true);
  });

  it('takes up its space, unlike one with a hole', () => {
    NODE_STORAGE.createZeroed(path, 1024 * 1024);
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(1024 * 1024);
  });

  it('is not left behind half-made when the disk is full', () => {
    useWrite(refusing('ENOSPC', 1024 * 1024));
    const make = () => NODE_STORAGE.createZeroed(path, 4 * 1024 * 1024);
    expect(make).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    expect(readdirSync(directory)).toEqual([]);
  });

  it('never takes the place of another file', () => {
    NODE_STORAGE.createZeroed(path, 1);
    const again = () => NODE_STORAGE.createZeroed(path, 2);
    expect(again).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(readFileSync(path)).toHaveLength(1);
  });
});

describe('a file that is removed', () => {
  afterEach(() => {
    nodeFs.ftruncateSync = ftruncateSync;
    syncBuiltinESMExports();
  });

  it('without hurry gives its space back a mebibyte at a time', () => {
    NODE_STORAGE.createZeroed(path, 3 * 1024 * 1024 + 17);
    const sizes: number[] = [];
    nodeFs.ftruncateSync = (fd, bytes) => {
      sizes.push(bytes!);
      ftruncateSync(fd, bytes);
    };
    syncBuiltinESMExports();
    NODE_STORAGE.remove(path, false);
    expect(sizes).toEqual([2, 1, 0].map((mebibytes) => mebibytes * 1024 * 1024 + 17));
    expect(readdirSync(directory)).toEqual([]);
  });

  it('in a hurry is gone at once', () => {
    NODE_STORAGE.createZeroed(path, 3 * 1024 * 1024);
    nodeFs.ftruncateSync = () => expect.fail('it is not cut');
    syncBuiltinESMExports();
    NODE_STORAGE.remove(path);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('directories', () => {
  it('are made with those above them, and may be there already', () => {
    const deep = join(directory, 'a', 'b', 'c');
    NODE_STORAGE.makeDirectory(deep);
    NODE_STORAGE.makeDirectory(deep);
    NODE_STORAGE.syncDirectory(deep);
    expect(NODE_STORAGE.list(deep)).toEqual([]);
    expect(NODE_STORAGE.list(directory)).toEqual(['a']);
  });

  it.runIf(process.platform === 'linux')('that the system refuses to make fail', () => {
    const refused = () => NODE_STORAGE.makeDirectory('/proc/capstan/data');
    expect(refused).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });

  it('know their free space', () => {
    expect(NODE_STORAGE.freeBytes(directory)).toBeGreaterThan(0);
  });
});

describe('errors of the system', () => {
  it('are told apart by their code', () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    expect([isDiskFull(error('ENOSPC')), isDiskFull(error('EDQUOT'))]).toEqual([true, true]);
    expect([isDiskFull(error('EIO')), isDiskFull('ENOSPC')]).toEqual([false, false]);
    expect([isMissing(error('ENOENT')), isMissing(error('EIO'))]).toEqual([true, false]);
    expect(isMissing(undefined)).toBe(false);
  });
});
