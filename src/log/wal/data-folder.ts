/* The data folder of a broker: whose it is, what is in it, and in which format. Cold; owned by the
 * main thread. FORMAT.md describes it.
 *
 * Invariant: a folder with `capstan.json` is complete; that file is made before all the others. */

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import { PARTITIONS_MAX } from '../../base/limits.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { METADATA_NAME } from './folder-metadata.ts';
import { isDiskFull, isMissing, NODE_STORAGE } from './storage.ts';
import { writeWholeFile } from './whole-file.ts';

export const FOLDER_FORMAT_VERSION = 1;
export const SECRET_BYTES = 32;

const CATALOG_NAME = 'catalog';
/** Space that is given up for the lock of a start on a full disk: more than the file takes. */
const RESERVE_NAME = 'reserve';
const RESERVE_BYTES = 64 * 1024;
const PARTITION_NAME = /^partition-\d{2,}(?:\.layout-(\d+))?$/;

export interface DataFolderOptions {
  /** Of a new folder; one that exists keeps its own until `relayout`. */
  readonly partitions: number;
}

export interface FolderMetadata {
  readonly partitions: number;
  /** How often the folder has been given another number of partitions; in the names of their
   *  directories, so that the old ones stay whole until the new ones are. */
  readonly layout: number;
  /** Keys the receipt handles. */
  readonly secret: Uint8Array;
}

export interface DataFolder extends FolderMetadata {
  readonly path: string;
  partitionDirectory(partition: number): string;
  readonly catalogDirectory: string;
  /** The directories of the layout that `relayout` would settle on. */
  nextPartitionDirectory(partition: number): string;
  /** Has the folder's partitions be those of the next layout, whose logs are whole and on disk; the
   *  old ones are removed. Receipts from before are void: they name places that are gone. Returns
   *  the folder as it is now; this object is closed. */
  relayout(partitions: number): DataFolder;
  /** Lets other processes open the folder. Idempotent. */
  close(): void;
}

/** Opens the data folder at `path` for this process alone, and makes it if it is not there.
 *  Throws CAPSTAN_DATA_FOLDER_LOCKED, CAPSTAN_FORMAT_UNSUPPORTED, CAPSTAN_LOG_CORRUPT, and where
 *  the disk fails CAPSTAN_DISK_FULL or CAPSTAN_LOG_WRITE_FAILED. */
export function openDataFolder(path: string, options: DataFolderOptions): DataFolder {
  const folder = resolve(path);
  try {
    return openFolder(folder, options);
  } catch (error) {
    throw asDiskError(folder, error);
  }
}

/** What a failing disk says, as an operating error: it is no defect of this program. */
function asDiskError(folder: string, error: unknown): unknown {
  if (!(error instanceof Error && 'syscall' in error)) return error;
  const code = isDiskFull(error) ? 'CAPSTAN_DISK_FULL' : 'CAPSTAN_LOG_WRITE_FAILED';
  const detail = `The data folder ${folder} cannot be used: ${error.message}.`;
  return new BrokerError(code, detail, { cause: error });
}

function openFolder(folder: string, options: DataFolderOptions): DataFolder {
  NODE_STORAGE.makeDirectory(folder);
  const lock = lockThoughFull(folder);
  try {
    const metadata = readMetadata(folder) ?? makeMetadata(folder, options.partitions);
    keepReserve(folder);
    removeOtherLayouts(folder, metadata.layout);
    return lockedFolder(folder, metadata, lock);
  } catch (error) {
    lock.giveBack();
    throw error;
  }
}

/** A lock is a new file, and a full disk has room for none; yet whoever starts there wants to make
 *  some, by receiving and deleting. */
function lockThoughFull(folder: string): FolderLock {
  try {
    return lockFolder(folder);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    rmSync(join(folder, RESERVE_NAME), { force: true });
    return lockFolder(folder);
  }
}

function keepReserve(folder: string): void {
  const path = join(folder, RESERVE_NAME);
  if (existsSync(path)) return;
  try {
    NODE_STORAGE.createZeroed(path, RESERVE_BYTES);
  } catch (error) {
    // What is left of the last one is what the next lock is made in.
    if (!isDiskFull(error)) throw error;
  }
}

function lockedFolder(path: string, metadata: FolderMetadata, lock: FolderLock): DataFolder {
  const { layout } = metadata;
  let open = true;
  return {
    ...metadata,
    path,
    partitionDirectory: (partition) => partitionDirectory(path, partition, layout),
    catalogDirectory: catalogDirectory(path),
    nextPartitionDirectory: (partition) => partitionDirectory(path, partition, layout + 1),
    relayout: (partitions) => {
      open = false;
      const secret = new Uint8Array(randomBytes(SECRET_BYTES));
      const changed = { partitions, layout: layout + 1, secret };
      writeMetadata(path, changed);
      removeOtherLayouts(path, changed.layout);
      return lockedFolder(path, changed, lock);
    },
    close: () => {
      if (open) lock.giveBack();
      open = false;
    },
  };
}

/** Removes the directories of layouts that are no longer, or were never finished. */
function removeOtherLayouts(folder: string, layout: number): void {
  for (const name of readdirSync(folder)) {
    const match = PARTITION_NAME.exec(name);
    if (match === null || Number(match[1] ?? 0) === layout) continue;
    rmSync(join(folder, name), { recursive: true });
  }
}

export function partitionDirectory(folder: string, partition: number, layout: number): string {
  const name = `partition-${String(partition).padStart(2, '0')}`;
  return join(folder, layout === 0 ? name : `${name}.layout-${layout}`);
}

export function catalogDirectory(folder: string): string {
  return join(folder, CATALOG_NAME);
}

/** Whether `folder` is one, sound or not. */
export function isDataFolder(folder: string): boolean {
  return existsSync(join(folder, METADATA_NAME));
}

/** Undefined when the folder is none yet. Looks without a lock. */
export function readMetadata(folder: string): FolderMetadata | undefined {
  const path = join(folder, METADATA_NAME);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!isMissing(error)) throw error;
    requireNoLogs(folder);
    return undefined;
  }
  return decodeMetadata(path, text);
}

function requireNoLogs(folder: string): void {
  const log = readdirSync(folder).find(
    (name) => PARTITION_NAME.test(name) || name === CATALOG_NAME,
  );
  if (log === undefined) return;
  const detail = `${folder} holds "${log}", but its ${METADATA_NAME} is missing.`;
  throw new BrokerError('CAPSTAN_LOG_CORRUPT', detail);
}

function decodeMetadata(path: string, text: string): FolderMetadata {
  const damaged = (cause?: unknown) =>
    new BrokerError('CAPSTAN_LOG_CORRUPT', `${path} is damaged.`, { cause });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw damaged(error);
  }
  if (typeof content !== 'object' || content === null) throw damaged();
  const { format, partitions, layout = 0, secret } = content as Record<string, unknown>;
  if (typeof format !== 'number') throw damaged();
  if (format > FOLDER_FORMAT_VERSION) {
    const detail = `${path} says format ${format}; this is for ${FOLDER_FORMAT_VERSION}.`;
    throw new BrokerError('CAPSTAN_FORMAT_UNSUPPORTED', detail);
  }
  if (typeof partitions !== 'number' || typeof secret !== 'string') throw damaged();
  if (typeof layout !== 'number' || !Number.isInteger(layout) || layout < 0) throw damaged();
  const bytes = Buffer.from(secret, 'hex');
  const possible = Number.isInteger(partitions) && partitions >= 1 && partitions <= PARTITIONS_MAX;
  if (!possible || bytes.length !== SECRET_BYTES) throw damaged();
  return { partitions, layout, secret: new Uint8Array(bytes) };
}

function makeMetadata(folder: string, partitions: number): FolderMetadata {
  const secret = new Uint8Array(randomBytes(SECRET_BYTES));
  const metadata = { partitions, layout: 0, secret };
  writeMetadata(folder, metadata);
  return metadata;
}

/** Makes `folder` a data folder. */
export function writeMetadata(folder: string, metadata: FolderMetadata): void {
  const { partitions, layout, secret } = metadata;
  const content = {
    format: FOLDER_FORMAT_VERSION,
    partitions,
    layout,
    secret: Buffer.from(secret).toString('hex'),
  };
  writeWholeFile(join(folder, METADATA_NAME), `${JSON.stringify(content, undefined, 2)}\n`);
}
