/* A disk in memory, for tests and simulation: with a cache in front of it as an operating system
 * has, that fails, fills up, forgets and tears when it is told to. The same seed and the same calls
 * give the same disk.
 *
 * What is written is in the cache. `sync` brings a file's content to the disk, `syncDirectory` the
 * names in a directory; nothing else does, until a power cut lets some of the rest through. */

import { dirname } from 'node:path';
import type { OpenMode, Storage, StorageFile } from '../../src/log/wal/storage.ts';
import { type SeededRandom, seededRandom } from './seeded-random.ts';

const SECTOR_BYTES = 512;

/** Thrown by the call at which the process is made to die, and by all after it. */
export class ProcessDied extends Error {
  override name = 'ProcessDied';
}

export type StorageCall =
  | 'list'
  | 'makeDirectory'
  | 'open'
  | 'createZeroed'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'append'
  | 'writeAt'
  | 'read'
  | 'sync';

/** Of the calls that fit, `times` fail with the system error `code`, `after` others. */
export interface Failure {
  readonly call: StorageCall;
  readonly code: 'EIO' | 'ENOSPC' | 'ENOENT';
  /** Fits every path when left out. */
  readonly path?: RegExp;
  readonly times?: number;
  readonly after?: number;
}

interface UnsyncedWrite {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** A file's content, whatever its names are. */
interface Inode {
  cached: Buffer;
  onDisk: Buffer;
  unsynced: UnsyncedWrite[];
}

/** A change of names that may or may not be on disk. */
interface NameChange {
  readonly directory: string;
  apply(names: Map<string, Inode>): void;
}

export class FaultyStorage implements Storage {
  /** Calls so far that change the disk. */
  changes = 0;
  /** The process dies at the change with this number: it may or may not be made. */
  dieAtChange = Number.POSITIVE_INFINITY;
  capacityBytes: number;
  readonly #random: SeededRandom;
  readonly #directories = new Set<string>();
  #names = new Map<string, Inode>();
  #namesOnDisk = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  #failures: { failure: Failure; passed: number; left: number }[] = [];
  /** Files opened before a crash are of an earlier life. */
  #life = 0;
  #dead = false;

  constructor({ seed = 1, capacityBytes = Number.POSITIVE_INFINITY } = {}) {
    this.#random = seededRandom(seed);
    this.capacityBytes = capacityBytes;
  }

  // What tests do to it.

  failNext(failure: Failure): void {
    this.#failures.push({ failure, passed: failure.after ?? 0, left: failure.times ?? 1 });
  }

  /** The process is gone; the operating system, and all that it was handed, stays. */
  kill(): void {
    this.#life++;
    this.#dead = false;
    this.dieAtChange = Number.POSITIVE_INFINITY;
    this.#failures = [];
  }

  /** The power fails: of what was not synced, anything may have reached the disk, in any order. */
  cutPower(): void {
    this.kill();
    for (const change of this.#nameChanges) {
      if (this.#random.oneIn(2)) change.apply(this.#namesOnDisk);
    }
    this.#nameChanges = [];
    this.#names = new Map(this.#namesOnDisk);
    for (const inode of new Set(this.#names.values())) {
      for (const write of inode.unsynced) this.#reachPartly(inode, write);
      inode.unsynced = [];
      inode.cached = Buffer.from(inode.onDisk);
    }
  }

  #reachPartly(inode: Inode, write: UnsyncedWrite): void {
    const { offset, bytes } = write;
    const kind = this.#random.below(4);
    if (kind === 0) return;
    if (kind === 1) reach(inode, write);
    if (kind === 2) {
      const length = this.#random.below(bytes.length + 1);
      reach(inode, { offset, bytes: bytes.subarray(0, length) });
    }
    if (kind === 3) {
      for (let at = 0; at < bytes.length; ) {
        const sectorEnd = SECTOR_BYTES - ((offset + at) % SECTOR_BYTES);
        const part = bytes.subarray(at, at + sectorEnd);
        if (this.#random.oneIn(2)) reach(inode, { offset: offset + at, bytes: part });
        at += part.length;
      }
    }
  }

  /** Changes a byte of a file, where it lies. */
  corrupt(path: string, offset: number, change: (byte: number) => number): void {
    const inode = this.#require(path);
    for (const content of [inode.cached, inode.onDisk]) {
      if (offset < content.length) content[offset] = change(content[offset]!) & 0xff;
    }
  }

  /** Cuts a file off, which no crash does to a log. */
  shorten(path: string, bytes: number): void {
    const inode = this.#require(path);
    inode.cached = inode.cached.subarray(0, bytes);
    inode.onDisk = inode.onDisk.subarray(0, bytes);
  }

  /** A copy of a file's content, as the operating system has it. */
  content(path: string): Buffer {
    return Buffer.from(this.#require(path).cached);
  }

  setContent(path: string, content: Buffer): void {
    const bytes = Buffer.from(content);
    const inode: Inode = { cached: bytes, onDisk: Buffer.from(bytes), unsynced: [] };
    this.#directories.add(dirname(path));
    this.#names.set(path, inode);
    this.#namesOnDisk.set(path, inode);
  }

  paths(): string[] {
    return [...this.#names.keys()].toSorted();
  }

  /** Another disk with the same content, all of it synced. */
  copy(seed = 1): FaultyStorage {
    const copy = new FaultyStorage({ seed, capacityBytes: this.capacityBytes });
    for (const path of this.paths()) copy.setContent(path, this.content(path));
    for (const directory of this.#directories) copy.#directories.add(directory);
    return copy;
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const inode of new Set(this.#names.values())) bytes += inode.cached.length;
    return bytes;
  }

  // What the log does with it.

  list(directory: string): string[] {
    this.#meet('list', directory);
    const prefix = `${directory}/`;
    return this.paths()
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  }

  makeDirectory(directory: string): void {
    this.#meet('makeDirectory', directory);
    this.#directories.add(directory);
  }

  open(path: string, mode: OpenMode, appendAt = 0): StorageFile {
    this.#meet('open', path);
    return new FaultyFile(this, path, this.#require(path), mode, this.#life, appendAt);
  }

  createZeroed(path: string, bytes: number): void {
    this.change('createZeroed', path, this.#life, (portion) => {
      if (this.#names.has(path)) throw systemError('EEXIST', 'createZeroed', path);
      if (bytes > this.#freeBytes()) throw systemError('ENOSPC', 'createZeroed', path);
      const zeros = Buffer.alloc(Math.floor(bytes * portion));
      const inode: Inode = { cached: zeros, onDisk: Buffer.from(zeros), unsynced: [] };
      this.#changeNames(path, (names) => names.set(path, inode));
    });
  }

  rename(from: string, to: string): void {
    this.change('rename', from, this.#life, (portion) => {
      const inode = this.#require(from);
      if (portion < 1) return;
      this.#changeNames(from, (names) => {
        // The old name may not have reached the disk.
        if (names.get(from) === inode) names.delete(from);
        names.set(to, inode);
      });
    });
  }

  remove(path: string): void {
    this.change('remove', path, this.#life, (portion) => {
      const inode = this.#require(path);
      if (portion < 1) return;
      this.#changeNames(path, (names) => {
        if (names.get(path) === inode) names.delete(path);
      });
    });
  }

  syncDirectory(directory: string): void {
    this.change('syncDirectory', directory, this.#life, (portion) => {
      if (portion < 1) return;
      for (const change of this.#nameChanges) {
        if (change.directory === directory) change.apply(this.#namesOnDisk);
      }
      this.#nameChanges = this.#nameChanges.filter((change) => change.directory !== directory);
    });
  }

  freeBytes(): number {
    return this.#freeBytes();
  }

  #freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes);
  }

  #changeNames(path: string, apply: (names: Map<string, Inode>) => void): void {
    apply(this.#names);
    this.#nameChanges.push({ directory: dirname(path), apply });
  }

  #require(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError('ENOENT', 'open', path);
    return inode;
  }

  // Shared with the files.

  /** Makes a change, unless it is told to fail; a part of it, when the process is to die. */
  change(call: StorageCall, path: string, life: number, make: (portion: number) => void): void {
    this.meet(call, path, life);
    if (++this.changes !== this.dieAtChange) {
      make(1);
      return;
    }
    make(this.#random.below(4) / 3);
    this.#dead = true;
    throw new ProcessDied(`at ${call} ${path}`);
  }

  #meet(call: StorageCall, path: string): void {
    this.meet(call, path, this.#life);
  }

  meet(call: StorageCall, path: string, life: number): void {
    if (this.#dead || life !== this.#life) throw new ProcessDied(`${call} ${path} came after it`);
    const entry = this.#failures.find(
      ({ failure, left }) => left > 0 && failure.call === call && fits(failure, path),
    );
    if (entry === undefined) return;
    if (entry.passed > 0) {
      entry.passed--;
      return;
    }
    entry.left--;
    throw systemError(entry.failure.code, call, path);
  }
}

function fits({ path }: Failure, actual: string): boolean {
  return path === undefined || path.test(actual);
}

function reach(inode: Inode, { offset, bytes }: UnsyncedWrite): void {
  if (offset + bytes.length > inode.onDisk.length) {
    inode.onDisk = Buffer.concat([inode.onDisk], offset + bytes.length);
  }
  bytes.copy(inode.onDisk, offset);
}

export class FaultyFile implements StorageFile {
  readonly descriptor = 0;
  readonly path: string;
  readonly #storage: FaultyStorage;
  readonly #inode: Inode;
  readonly #mode: OpenMode;
  readonly #life: number;
  #appendAt: number;
  #closed = false;

  constructor(
    storage: FaultyStorage,
    path: string,
    inode: Inode,
    mode: OpenMode,
    life: number,
    appendAt: number,
  ) {
    this.#appendAt = appendAt;
    this.#storage = storage;
    this.path = path;
    this.#inode = inode;
    this.#mode = mode;
    this.#life = life;
  }

  size(): number {
    return this.#inode.cached.length;
  }

  append(bytes: Buffer): void {
    this.#write('append', bytes, this.#appendAt);
    this.#appendAt += bytes.length;
  }

  writeAt(bytes: Buffer, offset: number): void {
    this.#write('writeAt', bytes, offset);
  }

  #write(call: 'append' | 'writeAt', bytes: Buffer, offset: number): void {
    this.#requireOpen();
    if (this.#mode !== 'write') throw systemError('EBADF', call, this.path);
    this.#storage.change(call, this.path, this.#life, (portion) => {
      const inode = this.#inode;
      const part = Buffer.from(bytes.subarray(0, Math.floor(bytes.length * portion)));
      const end = offset + part.length;
      if (end > inode.cached.length) inode.cached = Buffer.concat([inode.cached], end);
      part.copy(inode.cached, offset);
      inode.unsynced.push({ offset, bytes: part });
    });
  }

  read(target: Buffer, targetOffset: number, length: number, offset: number): number {
    this.#requireOpen();
    this.#storage.meet('read', this.path, this.#life);
    const { cached } = this.#inode;
    if (offset >= cached.length) return 0;
    return cached.copy(target, targetOffset, offset, Math.min(offset + length, cached.length));
  }

  sync(): void {
    this.beginSync()();
  }

  /** Returns what ends the sync: it brings to the disk what was written before it began, and no
   *  more. A sync that fails leaves the cache as it is, and forgets that it is not on disk: what
   *  the kernels of Linux do. */
  beginSync(): () => void {
    this.#requireOpen();
    const inode = this.#inode;
    const covered = new Set(inode.unsynced);
    const forget = () => {
      inode.unsynced = inode.unsynced.filter((write) => !covered.has(write));
    };
    return () => {
      try {
        this.#storage.change('sync', this.path, this.#life, (portion) => {
          if (portion < 1) return;
          for (const write of covered) reach(inode, write);
          forget();
        });
      } catch (error) {
        if (!(error instanceof ProcessDied)) forget();
        throw error;
      }
    };
  }

  close(): void {
    this.#closed = true;
  }

  #requireOpen(): void {
    if (this.#closed) throw systemError('EBADF', 'use', this.path);
  }
}

function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, path });
}
