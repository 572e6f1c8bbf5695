/* Both ends of rings on real threads, at full speed and just about asleep. What may come out is one
 * thing only: every byte, in order, and nobody left asleep. The threads run the compiled code. */

import { Worker } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { allocateDoorbell, Doorbell } from '../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexClientEnd, DuplexServerEnd } from '../../src/ring/duplex.ts';

const MIB = 1024 * 1024;

interface PeerResult {
  readonly bytes: number;
  readonly checksum: number;
}

interface Traffic {
  readonly capacity: number;
  readonly bytes: number;
  readonly frameBytesMax: number;
  readonly seed: number;
}

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function memory(capacity: number) {
  return {
    duplex: allocateDuplex(capacity),
    clientBell: allocateDoorbell(),
    serverBell: allocateDoorbell(),
  };
}

/** Resolves with what the thread has to say at its end. */
function startPeer(role: string, workerData: object): Promise<PeerResult> {
  const worker = new Worker(new URL('./ring-peer.js', import.meta.url), {
    workerData: { role, ...workerData },
  });
  workers.push(worker);
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function pump({ capacity, ...traffic }: Traffic): Promise<void> {
  const shared = { ...memory(capacity), ...traffic };
  const [sent, taken] = await Promise.all([
    startPeer('produce', shared),
    startPeer('consume', { ...shared, seed: traffic.seed + 1 }),
  ]);
  expect(taken).toEqual(sent);
  expect(sent.bytes).toBeGreaterThanOrEqual(traffic.bytes);
}

test('400 MiB in frames of all lengths arrive unharmed through a large ring', async () => {
  await pump({ capacity: MIB, bytes: 400 * MIB, frameBytesMax: 64 * 1024, seed: 1 });
});

test('a ring that is always full, and a ring that is always empty, lose no wake-up', async () => {
  await pump({ capacity: 1024, bytes: 8 * MIB, frameBytesMax: 400, seed: 2 });
});

test('two threads that sleep between any two frames are always woken', async () => {
  const shared = { ...memory(4096), frames: 20_000 };
  await Promise.all([
    startPeer('echo', { ...shared, seed: 3 }),
    startPeer('ask', { ...shared, seed: 4 }),
  ]);
});

test('an event loop that waits for a bell is always called', async () => {
  const FRAMES = 10_000;
  const shared = memory(4096);
  const echoed = startPeer('echo', { ...shared, frames: FRAMES, seed: 5 });
  const end = new DuplexClientEnd(shared.duplex);
  const own = new Doorbell(shared.clientBell);
  const peer = new Doorbell(shared.serverBell);
  let asked = 0;
  const ask = () => {
    const at = end.requests.claim(4);
    end.requests.view.setInt32(at, asked, true);
    end.requests.publish();
    peer.ring();
  };
  await new Promise<void>((resolve, reject) => {
    const onRing = () => {
      while (end.replies.next()) {
        const answer = end.replies.view.getInt32(end.replies.offset, true);
        if (answer !== asked) reject(new Error(`asked ${asked}, and was told ${answer}`));
        asked++;
      }
      end.replies.release();
      if (asked === FRAMES) {
        resolve();
        return;
      }
      ask();
      own.armAsync(onRing, () => !end.replies.empty);
    };
    ask();
    own.armAsync(onRing, () => !end.replies.empty);
  });
  own.close();
  await echoed;
});

test('an event loop takes a stream of frames from a thread that waits for room', async () => {
  const traffic = { bytes: 50 * MIB, frameBytesMax: 4000, seed: 6 };
  const shared = memory(64 * 1024);
  const produced = startPeer('produce', { ...shared, ...traffic });
  const { requests } = new DuplexServerEnd(shared.duplex);
  const own = new Doorbell(shared.serverBell);
  const peer = new Doorbell(shared.clientBell);
  let taken = 0;
  let checksum = 0;
  await new Promise<void>((resolve) => {
    const onRing = () => {
      let ended = false;
      while (requests.next()) {
        const { buffer, offset, length } = requests;
        checksum = crc32(buffer.subarray(offset, offset + length), checksum);
        taken += length;
        ended = length === 0;
      }
      if (requests.release()) peer.ring();
      if (ended) resolve();
      else own.armAsync(onRing, () => !requests.empty);
    };
    own.armAsync(onRing, () => !requests.empty);
  });
  own.close();
  expect({ bytes: taken, checksum }).toEqual(await produced);
});
