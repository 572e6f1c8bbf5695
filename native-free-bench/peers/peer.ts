/* Another queue server, run beside Capstan on the same disk. */

import type { DriverName } from '../drivers/drivers.ts';

export interface RunningPeer {
  readonly url: string;
  /** Whose CPU time, with that of its descendants, is the server's. */
  readonly pid: number;
  /** Kills it, and starts it anew on the same data; resolves at once after the start. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  readonly driver: DriverName;
  /** What it promises about the disk as it is run here. */
  readonly durability: string;
  /** What a reader must know to compare. */
  readonly note?: string | undefined;
  /** Messages per call that suit it best; SQS has at most 10. */
  readonly bestBatch: number;
  /** Undefined: it can run here; else why not. */
  missing(): string | undefined;
  /** `directory` is its own, and empty. */
  start(directory: string): Promise<RunningPeer>;
}
