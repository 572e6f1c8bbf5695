/* What a server's data folder takes on disk, and what of it lives, followed while a load runs. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CapstanServer } from './server.ts';

const LOOK_MS = 250;
const BLOCK_BYTES = 512; // the unit of `blocks`, whatever the file system
const ENTRY_HEADER_BYTES = 40; // of a message in the log, beyond its body: message-entry.ts

export interface DiskPoint {
  readonly seconds: number;
  readonly diskBytes: number;
  readonly liveBytes: number;
}

export interface Housekeeping {
  readonly messages: number;
  readonly regionsCleaned: number;
  readonly relocatedBytes: number;
}

/** Totals over the partitions; they are half a second old at most. */
export async function housekeepingOf(server: CapstanServer): Promise<Housekeeping> {
  const answer = await fetch(`${server.httpUrl}/status.json?queues=1`);
  const { partitions } = (await answer.json()) as { partitions: readonly Housekeeping[] };
  const total = (field: keyof Housekeeping) =>
    partitions.reduce((sum, partition) => sum + partition[field], 0);
  return {
    messages: total('messages'),
    regionsCleaned: total('regionsCleaned'),
    relocatedBytes: total('relocatedBytes'),
  };
}

/** Everything in the partitions' folders: segments, spares, digests. */
export function diskBytesOf(data: string): number {
  const folders = readdirSync(data).filter((name) => name.startsWith('partition-'));
  const bytesOf = (path: string): number => {
    // Files come and go meanwhile.
    const blocks = statSync(path, { throwIfNoEntry: false })?.blocks ?? 0;
    return blocks * BLOCK_BYTES;
  };
  return folders
    .flatMap((folder) => readdirSync(join(data, folder)).map((name) => join(data, folder, name)))
    .reduce((sum, path) => sum + bytesOf(path), 0);
}

/** Looks at the disk until `over` settles, and once more. */
export async function followDisk(
  server: CapstanServer,
  bodyBytes: number,
  over: Promise<unknown>,
): Promise<DiskPoint[]> {
  const points: DiskPoint[] = [];
  const startedAt = performance.now();
  const look = async (): Promise<void> => {
    const { messages } = await housekeepingOf(server);
    points.push({
      seconds: (performance.now() - startedAt) / 1000,
      diskBytes: diskBytesOf(server.data),
      liveBytes: messages * (bodyBytes + ENTRY_HEADER_BYTES),
    });
  };
  const ended = new AbortController();
  const end = over.finally(() => ended.abort()).catch(() => undefined); // Its owner looks at it.
  while (!ended.signal.aborted) {
    await look();
    await Promise.race([end, sleep(LOOK_MS)]);
  }
  await look();
  return points;
}
