/* Rings for simulated partitions. They are as large as real ones, and so are used over and over:
 * their memory costs more than all else that a simulation does. */

import { RING_BYTES } from '../../src/base/limits.ts';
import { allocateDuplex, type DuplexMemory } from '../../src/ring/duplex.ts';

const rings = new Map<string, DuplexMemory>();

/** The rings between a partition and a router, with nothing in them but old bytes. */
export function emptyRings(partition: number, router: number): DuplexMemory {
  const name = `${partition}/${router}`;
  let memory = rings.get(name);
  if (memory === undefined) {
    memory = allocateDuplex(RING_BYTES);
    rings.set(name, memory);
  }
  new Uint8Array(memory.requests, RING_BYTES).fill(0);
  new Uint8Array(memory.replies, RING_BYTES).fill(0);
  return memory;
}
