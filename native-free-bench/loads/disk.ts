/* What the disk gives a log: writes of one size into a preallocated, zeroed file, each followed by
 * fdatasync. The physical limit of every durable figure. */

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { Histogram } from '../harness/histogram.ts';
import type { Load } from '../harness/load-contract.ts';

const FILE_BYTES = 128 * 1024 * 1024;
const ZEROING_BYTES = 1024 * 1024;

export interface DiskParameters {
  readonly file: string;
  readonly commitBytes: number;
  readonly seconds: number;
}

export const load: Load<DiskParameters> = async ({ file, commitBytes, seconds }, context) => {
  const fd = openSync(file, 'w');
  const zeros = Buffer.alloc(ZEROING_BYTES);
  for (let at = 0; at < FILE_BYTES; at += ZEROING_BYTES) writeSync(fd, zeros, 0, undefined, at);
  fdatasyncSync(fd);
  const bytes = Buffer.alloc(commitBytes, 'capstan ');
  const commits = new Histogram();
  await context.begin();
  const end = performance.now() + seconds * 1000;
  for (let at = 0, now = performance.now(); now < end; ) {
    writeSync(fd, bytes, 0, commitBytes, at);
    fdatasyncSync(fd);
    const after = performance.now();
    commits.recordMs(after - now);
    now = after;
    at = (at + commitBytes) % FILE_BYTES;
  }
  context.end();
  closeSync(fd);
  rmSync(file);
  return { messages: commits.count, latencies: { commit: commits.snapshot() } };
};
