/* The other thread of ring.ts: answers each frame with its own bytes, or only reads it, as a
 * partition does with a request; ends with an empty one, and tells how many there were. */

import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../../src/ring/doorbell.ts';
import { DuplexServerEnd } from '../../src/ring/duplex.ts';
import type { RingPeerStart } from './ring.ts';

const PATIENCE_MS = 10_000;

const { duplex, ownBell, askerBell, answers } = workerData as RingPeerStart;
const { requests, replies } = new DuplexServerEnd(duplex);
const own = new Doorbell(ownBell);
const asker = new Doorbell(askerBell);
const read = Buffer.alloc(requests.buffer.length);
let taken = 0;

function drain(): boolean {
  while (requests.next()) {
    const { buffer, offset, length } = requests;
    if (length === 0) return false;
    taken += 1;
    if (answers) buffer.copy(replies.buffer, replies.claim(length), offset, offset + length);
    else buffer.copy(read, 0, offset, offset + length);
  }
  return true;
}

while (drain()) {
  if (requests.release()) asker.ring();
  if (replies.publish()) asker.ring();
  own.sleep(PATIENCE_MS, () => !requests.empty);
}
parentPort?.postMessage(taken);
