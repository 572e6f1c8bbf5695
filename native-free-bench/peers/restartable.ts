/* A peer as one process that can be killed and started anew on the same data and port. */

import { ChildServer, type ServerCommand } from '../harness/child-server.ts';
import type { RunningPeer } from './peer.ts';

export interface PeerProcess {
  readonly url: string;
  readonly command: ServerCommand;
  /** Whether the server takes work. */
  readonly answers: () => Promise<boolean>;
  readonly readyTimeoutMs: number;
  /** How it is ended after all is measured. */
  readonly end: 'stop' | 'kill';
}

/** Starts it, and waits until it answers. */
export async function startPeer(peer: PeerProcess): Promise<RunningPeer> {
  const { url, command, answers, readyTimeoutMs, end } = peer;
  let child = new ChildServer(command);
  await child.ready(answers, readyTimeoutMs);
  return {
    url,
    get pid() {
      return child.pid;
    },
    restart: async () => {
      await child.kill();
      child = new ChildServer(command);
    },
    close: () => child[end](),
  };
}
