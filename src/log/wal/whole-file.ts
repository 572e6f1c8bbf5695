/* Small files that are there as a whole or not at all, whatever crashes. Cold; any thread. */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { NODE_STORAGE } from './storage.ts';

/** Replaces `path` by a file of `content`; on disk when this returns. */
export function writeWholeFile(path: string, content: string): void {
  const temporary = writeTemporary(path, content);
  fs.renameSync(temporary, path);
  NODE_STORAGE.syncDirectory(dirname(path));
}

/** Makes a file of `content`, on disk when this returns. False, and nothing done, when there is one
 *  at `path`: of several that try at once, one succeeds. */
export function createWholeFile(path: string, content: string): boolean {
  const temporary = writeTemporary(path, content);
  try {
    fs.linkSync(temporary, path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.unlinkSync(temporary);
  }
  NODE_STORAGE.syncDirectory(dirname(path));
  return true;
}

const TEMPORARY_NAME = /\.[0-9a-f]{12}\.temporary$/;

/** Whether a file of this name is left over from a crash, or about to be renamed. */
export function isTemporary(name: string): boolean {
  return TEMPORARY_NAME.test(name);
}

function writeTemporary(path: string, content: string): string {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.temporary`;
  const fd = fs.openSync(temporary, 'wx', 0o600);
  try {
    fs.writeFileSync(fd, content);
    fs.fsyncSync(fd);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  } finally {
    fs.closeSync(fd);
  }
  return temporary;
}
