/* All that the log asks of a disk. The seam at which tests put a disk that fails, tears and
 * forgets; the real one is synchronous: what is worth doing at the same time is done by another
 * thread (see syncer.ts).
 *
 * Every failure of the real one is the system error of Node, with its `code`. */

import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import type sonicBoom from 'sonic-boom';
import { assert } from '../../base/assert.ts';

export interface StorageFile {
  readonly path: string;
  /** What the operating system knows it by, in every thread; any number where there is none. */
  readonly descriptor: number;
  size(): number;
  /** Writes all of `bytes` behind those appended before; the first ones go where `open` was
   *  told. */
  append(bytes: Buffer): void;
  /** Writes all of `bytes` at `offset`. */
  writeAt(bytes: Buffer, offset: number): void;
  /** Returns how many bytes were read: fewer than `length` only at the file's end. */
  read(target: Buffer, targetOffset: number, length: number, offset: number): number;
  /** Returns once everything written to the file is on disk. */
  sync(): void;
  close(): void;
}

export type OpenMode = 'read' | 'write';

export interface Storage {
  /** Names in `directory`, in no order. */
  list(directory: string): string[];
  /** Makes `directory` and those above it. */
  makeDirectory(directory: string): void;
  /** @param appendAt where appended bytes go; the file's start when left out. */
  open(path: string, mode: OpenMode, appendAt?: number): StorageFile;
  /** Makes a file of `bytes` zeros that take up their space, on disk. Leaves none behind when it
   *  fails.
   *  @param hurried it is waited for; otherwise syncs of other files are let through more often. */
  createZeroed(path: string, bytes: number, hurried?: boolean): void;
  rename(from: string, to: string): void;
  /** @param hurried it is waited for; otherwise its space comes back part by part, and syncs of
   *    other files are let through in between. */
  remove(path: string, hurried?: boolean): void;
  /** Returns once names made, renamed and removed in `directory` are so on disk. */
  syncDirectory(directory: string): void;
  /** Space that a file in `directory` may still take. */
  freeBytes(directory: string): number;
}

/** True for the errors by which a disk, or a quota on it, says that it is full. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

export function isMissing(error: unknown): boolean {
  return errorCodeOf(error) === 'ENOENT';
}

function errorCodeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

type SonicBoom = InstanceType<typeof sonicBoom.SonicBoom>;

/** Required, because importing a CommonJS module takes a thread that starts twice as long. */
const { SonicBoom } = createRequire(import.meta.url)('sonic-boom') as typeof sonicBoom;

class NodeStorageFile implements StorageFile {
  readonly path: string;
  readonly descriptor: number;
  #writer: SonicBoom | undefined;
  #writeError: Error | undefined;

  constructor(path: string, fd: number) {
    this.path = path;
    this.descriptor = fd;
  }

  size(): number {
    return fs.fstatSync(this.descriptor).size;
  }

  append(bytes: Buffer): void {
    this.#writer ??= this.#makeWriter();
    // Its types know text only; in content mode 'buffer' it takes bytes, and writes them at once.
    this.#writer.write(bytes as unknown as string);
    if (this.#writeError !== undefined) throw this.#writeError;
    // Returns when nothing is left to write. Nothing is: this makes sure of it before a sync.
    this.#writer.flushSync();
  }

  /** Writes at the file's current position, which nothing else moves. It is never told to end: it
   *  would close the descriptor from the event loop, which a partition's thread does not run. */
  #makeWriter(): SonicBoom {
    const writer = new SonicBoom({
      fd: this.descriptor,
      sync: true,
      contentMode: 'buffer',
      // A retry would sleep; a regular file that says "again" is broken anyway.
      retryEAGAIN: () => false,
    });
    writer.on('error', (error: Error) => {
      this.#writeError = error;
    });
    return writer;
  }

  writeAt(bytes: Buffer, offset: number): void {
    let written = 0;
    while (written < bytes.length) {
      const left = bytes.length - written;
      written += fs.writeSync(this.descriptor, bytes, written, left, offset + written);
    }
  }

  read(target: Buffer, targetOffset: number, length: number, offset: number): number {
    let done = 0;
    while (done < length) {
      const bytes = fs.readSync(
        this.descriptor,
        target,
        targetOffset + done,
        length - done,
        offset + done,
      );
      if (bytes === 0) break;
      done += bytes;
    }
    return done;
  }

  sync(): void {
    fs.fdatasyncSync(this.descriptor);
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }
}

/** Node has no other way to move a file's position than to read up to it. */
function moveTo(fd: number, offset: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(offset, 1024 * 1024));
  for (let at = 0; at < offset; ) {
    const bytes = fs.readSync(fd, chunk, 0, Math.min(chunk.length, offset - at), null);
    assert(bytes > 0, 'a file is appended to inside of it');
    at += bytes;
  }
}

const ZEROS = Buffer.alloc(1024 * 1024);
/** What a commit of a running log may have to wait for. In smaller parts, the zeros would take
 *  longer than a fast log takes to use them up. */
const UNHURRIED_BYTES = 512 * 1024;

/** A millisecond's work, or less: while the system frees a file's memory and blocks, no file of the
 *  same disk is synced, and where it cannot be preempted, nothing else runs on that core. */
const FREED_BYTES = 1024 * 1024;
const FREEING_PAUSE_MS = 4;
const NEVER_RUNG = new Int32Array(new SharedArrayBuffer(4));

function shrinkSlowly(path: string): void {
  const fd = fs.openSync(path, 'r+');
  try {
    for (let bytes = fs.fstatSync(fd).size - FREED_BYTES; bytes > 0; bytes -= FREED_BYTES) {
      fs.ftruncateSync(fd, bytes);
      Atomics.wait(NEVER_RUNG, 0, 0, FREEING_PAUSE_MS);
    }
  } finally {
    fs.closeSync(fd);
  }
}

class NodeStorage implements Storage {
  list(directory: string): string[] {
    return fs.readdirSync(directory);
  }

  /** Step by step: Node's `recursive` never returns where the system says that a folder is not
   *  there in one that is, as Linux does in /proc. */
  makeDirectory(directory: string): void {
    const path = resolve(directory);
    if (fs.existsSync(path)) return;
    const above = dirname(path);
    if (above !== path) this.makeDirectory(above);
    try {
      fs.mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if (errorCodeOf(error) !== 'EEXIST') throw error;
    }
    this.syncDirectory(above);
  }

  open(path: string, mode: OpenMode, appendAt = 0): StorageFile {
    const fd = fs.openSync(path, mode === 'read' ? 'r' : 'r+');
    moveTo(fd, appendAt);
    return new NodeStorageFile(path, fd);
  }

  createZeroed(path: string, bytes: number, hurried = true): void {
    const partBytes = hurried ? ZEROS.length : UNHURRIED_BYTES;
    const fd = fs.openSync(path, 'wx', 0o600);
    try {
      for (let left = bytes; left > 0; ) {
        left -= fs.writeSync(fd, ZEROS, 0, Math.min(left, partBytes));
        // All at once at the end would hold up the commits of a running log for as long.
        fs.fdatasyncSync(fd);
      }
      assert(fs.fstatSync(fd).size === bytes, 'a new file has the size asked for');
      fs.fsyncSync(fd);
    } catch (error) {
      fs.rmSync(path, { force: true });
      throw error;
    } finally {
      fs.closeSync(fd);
    }
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  remove(path: string, hurried = true): void {
    if (!hurried) shrinkSlowly(path);
    fs.unlinkSync(path);
  }

  syncDirectory(directory: string): void {
    const fd = fs.openSync(directory, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  freeBytes(directory: string): number {
    const { bavail, bsize } = fs.statfsSync(directory);
    return bavail * bsize;
  }
}

export const NODE_STORAGE: Storage = new NodeStorage();
