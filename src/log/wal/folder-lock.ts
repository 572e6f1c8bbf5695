/* One process per data folder. Without a lock of the operating system, which Node does not offer:
 * files `lock-<n>`, each naming a process, of which the one with the highest number counts.
 *
 * Invariants: a lock is made by an exclusive link, so of two processes that find the same last one
 * stale, one gets the next number. The highest number is never removed, only marked as given back,
 * so a slow process that goes by an old look at the folder finds its number taken, or not the
 * highest. Whoever holds a lock has looked, after making it, that it is the highest. */

import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { BrokerError } from '../../base/errors.ts';
import { ownIdentity, type ProcessIdentity, stateOf } from './process-identity.ts';
import { isDiskFull } from './storage.ts';
import { createWholeFile, isTemporary, writeWholeFile } from './whole-file.ts';

const LOCK_NAME = /^lock-(\d{9})$/;
/** The holder shows that it lives by touching its file. Only those elsewhere go by it. */
const TOUCH_INTERVAL_MS = 1000;
/** A lock from elsewhere that is not touched for so long is stale. */
const TOUCH_PATIENCE_MS = 3500;

interface LockContent extends ProcessIdentity {
  readonly givenBack: boolean;
}

export interface FolderLock {
  giveBack(): void;
}

/** Throws CAPSTAN_DATA_FOLDER_LOCKED, with the holder's process id. */
export function lockFolder(folder: string): FolderLock {
  const identity = ownIdentity();
  for (;;) {
    const last = lastLock(folder);
    if (last !== 0) requireStale(folder, last);
    const path = lockPath(folder, last + 1);
    if (!createWholeFile(path, JSON.stringify({ ...identity, givenBack: false }))) continue;
    if (lastLock(folder) === last + 1) return hold(folder, last + 1, identity);
    rmSync(path, { force: true });
  }
}

/** Throws CAPSTAN_DATA_FOLDER_LOCKED while a process holds `folder`. */
export function requireUnlocked(folder: string): void {
  const last = lastLock(folder);
  if (last !== 0) requireStale(folder, last);
}

function hold(folder: string, number: number, identity: ProcessIdentity): FolderLock {
  removeLeftovers(folder, number);
  const path = lockPath(folder, number);
  const timer = setInterval(() => touch(path), TOUCH_INTERVAL_MS);
  timer.unref();
  return {
    giveBack: () => {
      clearInterval(timer);
      // A folder that was taken away whole needs nothing.
      if (!existsSync(path)) return;
      try {
        writeWholeFile(path, JSON.stringify({ ...identity, givenBack: true }));
      } catch (error) {
        // No room to say so. That the process has ended says it as well.
        if (!isDiskFull(error)) throw error;
      }
    },
  };
}

function touch(path: string): void {
  if (!existsSync(path)) return;
  const now = new Date();
  utimesSync(path, now, now);
}

function lockPath(folder: string, number: number): string {
  return join(folder, `lock-${String(number).padStart(9, '0')}`);
}

/** The number of the lock that counts; 0 when there is none. */
function lastLock(folder: string): number {
  const numbers = readdirSync(folder).map((name) => Number(LOCK_NAME.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

function requireStale(folder: string, number: number): void {
  const path = lockPath(folder, number);
  let content: LockContent;
  try {
    content = JSON.parse(readFileSync(path, 'utf8')) as LockContent;
  } catch (error) {
    // A later lock has replaced it since; or it is damaged, and names nobody.
    if (!existsSync(path) || error instanceof SyntaxError) return;
    throw error;
  }
  if (content.givenBack) return;
  const state = stateOf(content);
  if (state === 'ended' || (state === 'elsewhere' && !isTouched(path))) return;
  const where = state === 'runs' ? '' : ` on ${content.host}`;
  throw new BrokerError(
    'CAPSTAN_DATA_FOLDER_LOCKED',
    `The data folder ${folder} is in use by process ${content.pid}${where}.`,
  );
}

/** Waits for a sign of life of a holder elsewhere. */
function isTouched(path: string): boolean {
  const seenMs = touchedMs(path);
  const wait = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; waitedMs < TOUCH_PATIENCE_MS; waitedMs += TOUCH_INTERVAL_MS / 4) {
    Atomics.wait(wait, 0, 0, TOUCH_INTERVAL_MS / 4);
    if (touchedMs(path) !== seenMs) return true;
  }
  return false;
}

function touchedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Removes locks before `number`, and files that crashes have left half-made. */
function removeLeftovers(folder: string, number: number): void {
  for (const name of readdirSync(folder)) {
    const found = Number(LOCK_NAME.exec(name)?.[1] ?? number);
    if (found < number || isTemporary(name)) rmSync(join(folder, name), { force: true });
  }
}
