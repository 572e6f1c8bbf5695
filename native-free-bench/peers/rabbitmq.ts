/* RabbitMQ, with a node, a data folder and a port mapper of its own: the usual one would stay
 * behind as a daemon. */

import { join } from 'node:path';
import { AmqpConnection } from '../drivers/amqp-frames.ts';
import { ChildServer, freePort } from '../harness/child-server.ts';
import { findProgram, missingProgram } from './installed.ts';
import type { Peer } from './peer.ts';
import { startPeer } from './restartable.ts';

const SCRIPTS = '/usr/lib/rabbitmq/bin'; // those in the PATH switch users
const READY_TIMEOUT_MS = 60_000;

export const rabbitmq: Peer = {
  name: 'RabbitMQ',
  driver: 'rabbitmq',
  durability: 'fsync (quorum queue, confirms)',
  note: 'its acknowledgements are not answered',
  bestBatch: 100,
  missing: () =>
    missingProgram('rabbitmq-server', 'rabbitmq-server', [SCRIPTS]) ??
    missingProgram('epmd', 'erlang-base'),
  start: async (directory) => {
    const [port, mapperPort, nodePort] = [await freePort(), await freePort(), await freePort()];
    const logFile = join(directory, 'server.log');
    const mapper = new ChildServer({
      command: findProgram('epmd')!,
      arguments: ['-port', String(mapperPort), '-address', '127.0.0.1'],
      directory,
      logFile,
    });
    const command = {
      command: join(SCRIPTS, 'rabbitmq-server'),
      arguments: [],
      environment: {
        HOME: directory,
        ERL_EPMD_PORT: String(mapperPort),
        RABBITMQ_NODENAME: `bench${port}@localhost`,
        RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
        RABBITMQ_NODE_PORT: String(port),
        RABBITMQ_DIST_PORT: String(nodePort),
        RABBITMQ_MNESIA_BASE: join(directory, 'data'),
        RABBITMQ_LOG_BASE: join(directory, 'log'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
        RABBITMQ_CONFIG_FILE: join(directory, 'none'),
        RABBITMQ_PID_FILE: join(directory, 'pid'),
      },
      directory,
      logFile,
    };
    const url = `tcp://127.0.0.1:${port}`;
    const answers = () =>
      AmqpConnection.open(url).then(
        (connection) => {
          connection.close();
          return true;
        },
        () => false,
      );
    const process = { url, command, answers, readyTimeoutMs: READY_TIMEOUT_MS } as const;
    const running = await startPeer({ ...process, end: 'stop' });
    const close = async (): Promise<void> => {
      await running.close();
      await mapper.kill();
    };
    return {
      url,
      get pid() {
        return running.pid;
      },
      restart: () => running.restart(),
      close,
    };
  },
};
