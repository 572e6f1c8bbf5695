/* The other thread of the ring tests: runs the compiled rings, plays the role that it is given, and
 * posts one result. Roles of two such threads, or of one and the test's own, make a test. */

import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { Doorbell } from '../../dist/ring/doorbell.js';
import { DuplexClientEnd, DuplexServerEnd } from '../../dist/ring/duplex.js';
import { INSUFFICIENT } from '../../dist/ring/spsc-ring.js';

const { role, duplex, clientBell, serverBell, bytes, frames, frameBytesMax, seed } = workerData;

/** So long only sleeps whoever was not woken. */
const LOST_MS = 10_000;

let state = seed >>> 0;
function random(limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

function sleep(bell, hasWork) {
  const began = performance.now();
  bell.sleep(LOST_MS, hasWork);
  if (performance.now() - began >= LOST_MS) throw new Error('a wake-up was lost');
}

/** Sends random bytes in frames of random lengths, and ends with an empty frame. */
function produce() {
  const { requests } = new DuplexClientEnd(duplex);
  const own = new Doorbell(clientBell);
  const peer = new Doorbell(serverBell);
  const pool = Buffer.from(Uint8Array.from({ length: 2 * frameBytesMax }, () => random(256)));
  const publish = () => requests.publish() && peer.ring();
  let checksum = 0;
  let sent = 0;
  for (let last = false; !last; ) {
    last = sent >= bytes;
    const length = last ? 0 : 1 + (random(8) === 0 ? random(frameBytesMax) : random(200));
    const shrunk = length > 1 && random(4) === 0 ? 1 + random(length) : length;
    let at = requests.claim(length);
    while (at === INSUFFICIENT) {
      publish();
      // What a partition does: asks after it has said that it sleeps, then looks once more.
      sleep(own, () => {
        requests.requestSpace();
        return requests.freeBytes >= length;
      });
      at = requests.claim(length);
    }
    const from = random(pool.length - shrunk + 1);
    pool.copy(requests.buffer, at, from, from + shrunk);
    checksum = crc32(requests.buffer.subarray(at, at + shrunk), checksum);
    if (shrunk !== length) requests.shrink(shrunk);
    sent += shrunk;
    if (random(16) === 0) publish();
  }
  publish();
  return { bytes: sent, checksum };
}

/** Takes frames up to the empty one; steps back now and then, and releases when it pleases. */
function consume() {
  const { requests } = new DuplexServerEnd(duplex);
  const own = new Doorbell(serverBell);
  const peer = new Doorbell(clientBell);
  let checksum = 0;
  let taken = 0;
  for (;;) {
    while (requests.next()) {
      if (random(64) === 0) {
        requests.unread();
        continue;
      }
      const { buffer, offset, length } = requests;
      checksum = crc32(buffer.subarray(offset, offset + length), checksum);
      taken += length;
      if (random(8) === 0 && requests.release()) peer.ring();
      if (length === 0) return { bytes: taken, checksum };
    }
    if (requests.release()) peer.ring();
    sleep(own, () => !requests.empty);
  }
}

/** Answers each request with its own bytes. */
function echo() {
  const end = new DuplexServerEnd(duplex);
  const own = new Doorbell(serverBell);
  const peer = new Doorbell(clientBell);
  for (let answered = 0; answered < frames; ) {
    while (end.requests.next()) {
      const { buffer, offset, length } = end.requests;
      const at = end.replies.claim(length);
      buffer.copy(end.replies.buffer, at, offset, offset + length);
      answered++;
    }
    if (end.requests.release()) peer.ring();
    // Now and then a little later: the peer is asleep by then, or just about to be.
    for (let i = random(400); i > 0; i--) random(2);
    if (end.replies.publish()) peer.ring();
    if (answered < frames) sleep(own, () => !end.requests.empty);
  }
  return { bytes: 0, checksum: 0 };
}

/** One request at a time, each after the answer to the one before. */
function ask() {
  const end = new DuplexClientEnd(duplex);
  const own = new Doorbell(clientBell);
  const peer = new Doorbell(serverBell);
  for (let i = 0; i < frames; i++) {
    const at = end.requests.claim(4);
    end.requests.view.setInt32(at, i, true);
    for (let spin = random(400); spin > 0; spin--) random(2);
    end.requests.publish();
    peer.ring();
    while (!end.replies.next()) sleep(own, () => !end.replies.empty);
    const answer = end.replies.view.getInt32(end.replies.offset, true);
    if (answer !== i) throw new Error(`asked ${i}, and was told ${answer}`);
    end.replies.release();
  }
  return { bytes: 0, checksum: 0 };
}

const ROLES = { produce, consume, echo, ask };
parentPort.postMessage(ROLES[role]());
