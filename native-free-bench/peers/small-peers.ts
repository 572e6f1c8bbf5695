/* Peers that are one program with a few flags. */

import { join } from 'node:path';
import { freePort, type ServerCommand } from '../harness/child-server.ts';
import { openSocket } from '../harness/reply-stream.ts';
import { findProgram, missingModule, missingProgram, PEER_MODULES_VARIABLE } from './installed.ts';
import type { Peer, RunningPeer } from './peer.ts';
import { startPeer } from './restartable.ts';

const READY_TIMEOUT_MS = 30_000;

type Command = Pick<ServerCommand, 'command' | 'arguments' | 'environment'>;

/** Starts it, and waits until its port takes connections. */
async function startProgram(
  directory: string,
  commandFor: (port: number) => Command,
  scheme = 'tcp',
): Promise<RunningPeer> {
  const port = await freePort();
  const logFile = join(directory, 'server.log');
  const command = { ...commandFor(port), directory, logFile };
  const url = `${scheme}://127.0.0.1:${port}`;
  const answers = () =>
    openSocket(url).then(
      (socket) => socket.destroy().destroyed,
      () => false,
    );
  return startPeer({ url, command, answers, readyTimeoutMs: READY_TIMEOUT_MS, end: 'kill' });
}

function startRedis(directory: string): Promise<RunningPeer> {
  return startProgram(directory, (port) => ({
    command: findProgram('redis-server')!,
    arguments: [
      ...['--port', String(port), '--dir', directory, '--save', ''],
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'],
    ],
  }));
}

const redis = {
  durability: 'appendfsync always',
  missing: () => missingProgram('redis-server', 'redis-server'),
  start: startRedis,
};

export const SMALL_PEERS: readonly Peer[] = [
  { ...redis, name: 'Redis Streams', driver: 'redis-streams', bestBatch: 100 },
  {
    ...redis,
    name: 'BullMQ',
    driver: 'bullmq',
    bestBatch: 100,
    missing: () => redis.missing() ?? missingModule('bullmq') ?? missingModule('ioredis'),
  },
  {
    name: 'beanstalkd',
    driver: 'beanstalkd',
    durability: 'fsync (-f 0)',
    note: 'it syncs each message by itself, in a batch as well',
    bestBatch: 10,
    missing: () => missingProgram('beanstalkd', 'beanstalkd'),
    start: (directory) =>
      startProgram(directory, (port) => ({
        command: findProgram('beanstalkd')!,
        arguments: ['-l', '127.0.0.1', '-p', String(port), '-b', directory, '-f', '0'],
      })),
  },
  {
    name: 'NATS JetStream',
    driver: 'nats',
    durability: 'none (file, synced every 2 min)',
    note: 'this version cannot sync before it acknowledges',
    bestBatch: 100,
    missing: () => missingProgram('nats-server', 'nats-server'),
    start: (directory) =>
      startProgram(directory, (port) => ({
        command: findProgram('nats-server')!,
        arguments: ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', directory],
      })),
  },
  {
    name: 'fauxqs',
    driver: 'sqs-json',
    durability: 'none (memory only)',
    bestBatch: 10,
    missing: () => missingModule('fauxqs'),
    start: (directory) =>
      startProgram(
        directory,
        (port) => ({
          command: process.execPath,
          arguments: [
            join(process.env[PEER_MODULES_VARIABLE]!, 'node_modules/fauxqs/dist/server.js'),
          ],
          environment: { FAUXQS_PORT: String(port), FAUXQS_LOGGER: 'false' },
        }),
        'http',
      ),
  },
];
