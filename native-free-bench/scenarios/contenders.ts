/* What is measured side by side: Capstan through one of its doors, or a peer. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DriverName } from '../drivers/drivers.ts';
import type { Bench } from '../harness/bench.ts';
import type { Peer, RunningPeer } from '../peers/peer.ts';
import { FSYNC } from './standard.ts';

export const CAPSTAN = 'Capstan';
export const CAPSTAN_SQS = 'Capstan over SQS';

export type Contending = Pick<RunningPeer, 'pid' | 'url' | 'restart'>;

export interface Contender {
  readonly name: string;
  readonly driver: DriverName;
  readonly durability: string;
  readonly note?: string | undefined;
  readonly bestBatch: number;
  readonly isPeer: boolean;
  /** Runs `use` against a fresh server. */
  with(use: (server: Contending) => Promise<void>): Promise<void>;
}

export function capstan(
  bench: Bench,
  driver: 'websocket' | 'sqs-json',
  bestBatch: number,
): Contender {
  return {
    name: driver === 'websocket' ? CAPSTAN : CAPSTAN_SQS,
    driver,
    durability: FSYNC,
    bestBatch,
    isPeer: false,
    with: (use) =>
      bench.withServer({}, (server) =>
        use({
          get pid() {
            return server.pid;
          },
          url: driver === 'websocket' ? server.socketUrl : server.httpUrl,
          restart: () => server.restart('kill'),
        }),
      ),
  };
}

export function contenderOf(bench: Bench, peer: Peer): Contender {
  return {
    ...peer,
    isPeer: true,
    with: async (use) => {
      mkdirSync(bench.scratch, { recursive: true });
      const directory = mkdtempSync(join(bench.scratch, 'peer-'));
      try {
        const server = await peer.start(directory);
        try {
          await use(server);
        } finally {
          await server.close();
        }
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}
