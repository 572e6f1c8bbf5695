/* What peers need and the project does not: programs of the system, and packages that stand
 * outside of it. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Where `npm install --no-save bullmq ioredis fauxqs` was run, outside of the repository. */
export const PEER_MODULES_VARIABLE = 'CAPSTAN_BENCH_PEERS';

export function findProgram(name: string, more: readonly string[] = []): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', ...more];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

export function missingProgram(name: string, debianPackage: string, more?: readonly string[]) {
  return findProgram(name, more) === undefined
    ? `not installed: apt-get install ${debianPackage}`
    : undefined;
}

export function peerModule(specifier: string): string | undefined {
  const folder = process.env[PEER_MODULES_VARIABLE];
  if (folder === undefined) return undefined;
  const resolve = createRequire(pathToFileURL(join(folder, 'package.json')));
  try {
    return resolve.resolve(specifier);
  } catch {
    return undefined; // Not installed there.
  }
}

export function missingModule(name: string): string | undefined {
  return existsSync(join(process.env[PEER_MODULES_VARIABLE] ?? '', 'node_modules', name))
    ? undefined
    : `not installed: npm install ${name} in a folder that ${PEER_MODULES_VARIABLE} names`;
}

/** A user of the system; undefined: there is none of that name. */
export function userOf(name: string): { uid: number; gid: number } | undefined {
  const id = (flag: string): number =>
    Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout || Number.NaN);
  const [uid, gid] = [id('-u'), id('-g')];
  return Number.isNaN(uid) ? undefined : { uid, gid };
}
