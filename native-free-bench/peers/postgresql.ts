/* PostgreSQL, with a data folder of its own. It refuses to run as root: then it runs as the user
 * that its package has made. */

import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresConnection } from '../drivers/postgresql.ts';
import { freePort } from '../harness/child-server.ts';
import { findProgram, missingProgram, userOf } from './installed.ts';
import type { Peer } from './peer.ts';
import { startPeer } from './restartable.ts';

const PACKAGES_DIRECTORY = '/usr/lib/postgresql';
const READY_TIMEOUT_MS = 30_000;
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '512MB',
  max_wal_size: '8GB',
  max_connections: '200',
  unix_socket_directories: '',
  autovacuum_naptime: '5s',
};

function programFolders(): string[] {
  try {
    return readdirSync(PACKAGES_DIRECTORY).map((name) => join(PACKAGES_DIRECTORY, name, 'bin'));
  } catch {
    return []; // Not installed from packages; it may be in the PATH.
  }
}

export const postgresql: Peer = {
  name: 'PostgreSQL SKIP LOCKED',
  driver: 'postgresql',
  durability: 'fsync, synchronous_commit on',
  bestBatch: 500,
  missing: () => {
    const missing = missingProgram('postgres', 'postgresql', programFolders());
    if (missing !== undefined || process.getuid?.() !== 0) return missing;
    return userOf('postgres') === undefined ? 'does not run as root' : undefined;
  },
  start: async (directory) => {
    const user = process.getuid?.() === 0 ? userOf('postgres') : undefined;
    const data = join(directory, 'data');
    mkdirSync(data);
    if (user !== undefined) {
      for (const folder of [directory, data]) chownSync(folder, user.uid, user.gid);
    }
    const initdb = findProgram('initdb', programFolders())!;
    const made = spawnSync(initdb, ['-D', data, '-U', 'postgres', '-A', 'trust', '-N'], {
      cwd: directory,
      encoding: 'utf8',
      timeout: READY_TIMEOUT_MS,
      ...user,
    });
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
    const port = await freePort();
    const settings = Object.entries({ ...SETTINGS, port, listen_addresses: '127.0.0.1' });
    const command = {
      command: findProgram('postgres', programFolders())!,
      arguments: ['-D', data, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      directory,
      logFile: join(directory, 'server.log'),
      user,
      stopSignal: 'SIGINT', // its fast shutdown
    } as const;
    const url = `tcp://127.0.0.1:${port}`;
    const answers = () =>
      PostgresConnection.open(url).then(
        (connection) => {
          connection.close();
          return true;
        },
        () => false,
      );
    return startPeer({ url, command, answers, readyTimeoutMs: READY_TIMEOUT_MS, end: 'stop' });
  },
};
