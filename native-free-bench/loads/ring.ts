/* What two threads can say to each other over the product's own rings and doorbells, with nothing
 * behind them: round trips one at a time, and bytes one way in bulk. The limit of everything that
 * crosses from a router to a partition. This thread asks; ring-peer.ts answers. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { RING_BYTES } from '../../src/base/limits.ts';
import { allocateDoorbell, Doorbell } from '../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexClientEnd, type DuplexMemory } from '../../src/ring/duplex.ts';
import { INSUFFICIENT } from '../../src/ring/spsc-ring.ts';
import type { Load } from '../harness/load-contract.ts';

const LOOK_EVERY = 32; // frames between two looks at the clock
const PATIENCE_MS = 10_000; // only whoever was not woken sleeps so long

export interface RingParameters {
  /** How this thread waits for an answer: blocked, or in its event loop as a router does. In bulk
   *  it waits for room only. */
  readonly way: 'blocked' | 'event loop' | 'bulk';
  readonly frameBytes: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export interface RingPeerStart {
  readonly duplex: DuplexMemory;
  readonly ownBell: SharedArrayBuffer;
  readonly askerBell: SharedArrayBuffer;
  readonly answers: boolean;
}

class Asker {
  /** Frames sent; the first four bytes of each are its number. */
  count = 0;
  readonly #end: DuplexClientEnd;
  readonly #own: Doorbell;
  readonly #peer: Doorbell;
  readonly #frame: Buffer;

  constructor({ duplex, ownBell, askerBell }: RingPeerStart, frameBytes: number) {
    this.#end = new DuplexClientEnd(duplex);
    this.#own = new Doorbell(askerBell);
    this.#peer = new Doorbell(ownBell);
    this.#frame = Buffer.alloc(frameBytes, 'capstan ');
  }

  #send(): boolean {
    const { requests } = this.#end;
    const at = requests.claim(this.#frame.length);
    if (at === INSUFFICIENT) return false;
    this.#frame.writeUInt32LE(this.count, 0);
    this.#frame.copy(requests.buffer, at);
    this.count += 1;
    return true;
  }

  #publish(): void {
    if (this.#end.requests.publish()) this.#peer.ring();
  }

  #take(): boolean {
    const { replies } = this.#end;
    if (!replies.next()) return false;
    const answered = replies.buffer.readUInt32LE(replies.offset);
    if (answered !== this.count - 1) throw new Error(`The answer to ${answered} came twice.`);
    replies.release();
    return true;
  }

  /** One round trip; the thread sleeps on its bell. */
  blocked(): void {
    this.#send();
    this.#publish();
    while (!this.#take()) this.#own.sleep(PATIENCE_MS, this.#hasReply);
  }

  /** One round trip; the event loop goes on. */
  async eventLoop(): Promise<void> {
    this.#send();
    this.#publish();
    while (!this.#take()) {
      await new Promise<void>((resolve) => {
        this.#own.armAsync(resolve, this.#hasReply);
      });
    }
  }

  /** One frame, which nobody answers. Many are published at once. */
  bulk(): void {
    const { requests } = this.#end;
    while (!this.#send()) {
      this.#publish();
      this.#own.sleep(PATIENCE_MS, () => {
        requests.requestSpace();
        return requests.freeBytes >= this.#frame.length;
      });
    }
    if (this.count % LOOK_EVERY === 0) this.#publish();
  }

  /** An empty frame, which is the last. */
  goodbye(): void {
    this.#end.requests.claim(0);
    this.#publish();
  }

  readonly #hasReply = (): boolean => !this.#end.replies.empty;
}

/** Frames sent within the time. */
async function askFor(seconds: number, way: RingParameters['way'], asker: Asker): Promise<number> {
  const before = asker.count;
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    for (let i = 0; i < LOOK_EVERY; i++) {
      if (way === 'event loop') await asker.eventLoop();
      else asker[way]();
    }
  }
  return asker.count - before;
}

export const load: Load<RingParameters> = async (parameters, context) => {
  const { way, frameBytes, warmupSeconds, seconds } = parameters;
  const start: RingPeerStart = {
    duplex: allocateDuplex(RING_BYTES),
    ownBell: allocateDoorbell(),
    askerBell: allocateDoorbell(),
    answers: way !== 'bulk',
  };
  const peer = new Worker(new URL('./ring-peer.js', import.meta.url), { workerData: start });
  await once(peer, 'online');
  const asker = new Asker(start, frameBytes);
  await askFor(warmupSeconds, way, asker);
  await context.begin();
  const messages = await askFor(seconds, way, asker);
  context.end();
  const counted = once(peer, 'message');
  asker.goodbye();
  const [taken] = (await counted) as [number];
  if (taken !== asker.count) throw new Error(`${asker.count} frames sent, ${taken} taken.`);
  return { messages };
};
