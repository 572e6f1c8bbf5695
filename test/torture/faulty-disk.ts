/* A disk beneath a server that fails when asked to: the other side of faulty-disk.c, which is
 * compiled on first use. Needs a C compiler, and Linux. */

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { ROOT } from '../support/built.ts';

/** The words that both sides share, in their order. */
const WORDS = [
  'failSyncs',
  'syncErrno',
  'failWrites',
  'writeErrno',
  'slowSyncs',
  'slowMs',
  'shortWrites',
  'cut',
  'seed',
  'syncs',
  'writes',
  'bytesLost',
  'namesLost',
  'failed',
] as const;
type Word = (typeof WORDS)[number];
const CONTROL_BYTES = 64;

export function hasCompiler(): boolean {
  return process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;
}

export class FaultyDisk implements Disposable {
  /** For the process that is to have this disk. */
  readonly env: Readonly<Record<string, string>>;
  readonly #control: number;

  /** `root` is the folder whose files it is for; `folder`, on the same file system and not in it,
   *  is for its own. Only files with `slowPart` in their path become slow. */
  constructor(root: string, folder: string, slowPart = '') {
    const library = path.join(folder, 'faulty-disk.so');
    const source = path.join(ROOT, 'test/torture/faulty-disk.c');
    const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'];
    execFileSync('gcc', [...flags, '-o', library, source, '-ldl', '-lpthread']);
    const grave = path.join(folder, 'grave');
    mkdirSync(grave, { recursive: true });
    const control = path.join(folder, 'control');
    this.#control = openSync(control, 'w+');
    writeSync(this.#control, Buffer.alloc(CONTROL_BYTES));
    this.env = {
      LD_PRELOAD: library,
      FAULTY_DISK_ROOT: root,
      FAULTY_DISK_GRAVE: grave,
      FAULTY_DISK_SLOW: slowPart,
      FAULTY_DISK_CONTROL: control,
    };
  }

  /** The next `count` syncs fail. */
  failSyncs(count: number, code: 'EIO' | 'ENOSPC' = 'EIO'): void {
    this.#set('syncErrno', constants.errno[code]);
    this.#set('failSyncs', count);
  }

  /** The next `count` writes fail, and write nothing. */
  failWrites(count: number, code: 'EIO' | 'ENOSPC'): void {
    this.#set('writeErrno', constants.errno[code]);
    this.#set('failWrites', count);
  }

  /** The next `count` writes write half. */
  shortWrites(count: number): void {
    this.#set('shortWrites', count);
  }

  /** The next `count` syncs take `ms` longer. */
  slowSyncs(count: number, ms: number): void {
    this.#set('slowMs', ms);
    this.#set('slowSyncs', count);
  }

  /** The power fails at the next write or sync: what was not synced may be lost, and by what of it
   *  is left `seed` decides. */
  cutPower(seed: number): void {
    this.#set('seed', seed);
    this.#set('cut', 1);
  }

  /** Everything works again. */
  repair(): void {
    for (const word of ['failSyncs', 'failWrites', 'slowSyncs', 'shortWrites', 'cut'] as const) {
      this.#set(word, 0);
    }
  }

  /** `syncs`, `writes`, `bytesLost`, `namesLost`, `failed` are counted. */
  get(word: Word): number {
    const bytes = Buffer.alloc(4);
    readSync(this.#control, bytes, 0, 4, WORDS.indexOf(word) * 4);
    return bytes.readUInt32LE();
  }

  #set(word: Word, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    writeSync(this.#control, bytes, 0, 4, WORDS.indexOf(word) * 4);
  }

  [Symbol.dispose](): void {
    closeSync(this.#control);
  }
}
