/* One client of a tortured server, as data: what a process of its own is told to be. It runs in
 * this process, or in one of its own. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  consumeByLibrary,
  consumeInOrder,
  type FifoConsumerOptions,
  type ProducerOptions,
  produce,
  type WorkerOptions,
} from './sqs-workers.ts';

type Described<Options> = Omit<Options, 'signal'>;

export type ClientRole =
  | ({ readonly kind: 'producer' } & Described<ProducerOptions>)
  | ({ readonly kind: 'consumer' } & Described<WorkerOptions>)
  | ({ readonly kind: 'in-order consumer' } & Described<FifoConsumerOptions>);

/** Runs a client until its work is done or `signal` ends it. Resolves with errors that a server in
 *  trouble does not explain. */
export type RunClient = (role: ClientRole, signal: AbortSignal) => Promise<string[]>;

export const runClientHere: RunClient = async (role, signal) => {
  if (role.kind === 'consumer') return consumeByLibrary({ ...role, signal });
  if (role.kind === 'producer') await produce({ ...role, signal });
  else await consumeInOrder({ ...role, signal });
  return [];
};

/** The same in a process of its own. Only for compiled files: Node cannot run this one. */
export const runClientInProcess: RunClient = (role, signal) =>
  new Promise((resolve, reject) => {
    const file = fileURLToPath(new URL('./client-program.js', import.meta.url));
    const child = spawn(process.execPath, [file, JSON.stringify(role)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // The SDK's, about versions of Node, once per client.
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    });
    let unexplained: string[] | undefined;
    child.once('message', (message) => {
      unexplained = message as string[];
    });
    const stop = () => child.connected && child.send('stop');
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    child.once('error', reject);
    child.once('exit', (code, killedBy) => {
      signal.removeEventListener('abort', stop);
      if (unexplained !== undefined) resolve(unexplained);
      else reject(new Error(`client ${role.name} ended (${killedBy ?? code})`));
    });
  });
