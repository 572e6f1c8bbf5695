/* Two rings between two threads: requests one way, replies the other. */

import { allocateRing } from './layout.ts';
import { RingReader, RingWriter } from './spsc-ring.ts';

export interface DuplexMemory {
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
}

/** @param capacity of each direction, in bytes; a power of two. */
export function allocateDuplex(capacity: number): DuplexMemory {
  return { requests: allocateRing(capacity), replies: allocateRing(capacity) };
}

/** The end that asks. */
export class DuplexClientEnd {
  readonly requests: RingWriter;
  readonly replies: RingReader;

  constructor(memory: DuplexMemory) {
    this.requests = new RingWriter(memory.requests);
    this.replies = new RingReader(memory.replies);
  }
}

/** The end that answers. */
export class DuplexServerEnd {
  readonly requests: RingReader;
  readonly replies: RingWriter;

  constructor(memory: DuplexMemory) {
    this.requests = new RingReader(memory.requests);
    this.replies = new RingWriter(memory.replies);
  }
}
