import { describe, expect, it } from 'vitest';
import { allocateBoard, Board } from '../../../src/command/board.ts';
import * as codec from '../../../src/command/command-codec.ts';
import { encodeEntry } from '../../../src/command/message-entry.ts';
import { openWal } from '../../../src/log/wal/wal.ts';
import { Partition, RouterLink } from '../../../src/partition/partition.ts';
import { MessageStore } from '../../../src/queue/message-store.ts';
import { QueueState } from '../../../src/queue/queue-state.ts';
import { replayRecord } from '../../../src/queue/replay.ts';
import { allocateDoorbell, Doorbell } from '../../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexClientEnd, DuplexServerEnd } from '../../../src/ring/duplex.ts';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import { HeldSyncer } from '../../support/held-syncer.ts';
import { settingsOf } from '../../support/partition-state.ts';

const REGION_BYTES = 16 * 1024 * 1024;
const RING_BYTES = 8 * 1024 * 1024;
const PIPELINED_BYTES = 2000;
const NOW = 1000;
const SMALL = Buffer.alloc(100, 's');
const LARGE = Buffer.alloc(PIPELINED_BYTES, 'l');

function open(storage = new FaultyStorage()) {
  let held = true;
  let letGo = 0;
  const syncer = new HeldSyncer(() => held && letGo-- <= 0);
  const store = new MessageStore(REGION_BYTES);
  store.define(settingsOf(1));
  const { log } = openWal(
    {
      directory: '/log',
      segmentBytes: REGION_BYTES,
      windowBytes: REGION_BYTES,
      durability: { mode: 'fsync' },
      storage,
      syncer,
      clock: () => NOW,
    },
    (buffer, view, offset, _length, position) =>
      replayRecord(store, buffer, view, offset, position),
  );
  const state = new QueueState(store, log);
  state.recovered(NOW);
  const memory = allocateDuplex(RING_BYTES);
  const end = new DuplexClientEnd(memory);
  const partition = new Partition({
    index: 0,
    partitions: 1,
    log,
    state,
    board: new Board(allocateBoard(1, 8)),
    links: [new RouterLink(0, new DuplexServerEnd(memory), new Doorbell(allocateDoorbell()))],
    faults: false,
    pipelinedBytes: PIPELINED_BYTES,
  });
  let correlation = 0;
  return {
    partition,
    storage,
    syncer,
    messages: () => state.table.count,
    hold: (on: boolean) => {
      held = on;
    },
    /** The oldest sync under way is seen to have ended by whoever looks next. */
    letOneEnd: () => {
      letGo = 1;
      partition.hasWork();
      letGo = 0;
    },
    /** Returns the request's correlation. */
    send(body: Buffer): number {
      const at = end.requests.claim(codec.REQUEST_HEADER_BYTES + body.length + 200);
      const { buffer, view } = end.requests;
      codec.writeRequestHeader(view, at, codec.OP_SEND, 1, ++correlation, 1, 0);
      const from = at + codec.REQUEST_HEADER_BYTES;
      end.requests.shrink(encodeEntry({ body }, new Uint8Array(16), buffer, view, from) - at);
      end.requests.publish();
      return correlation;
    },
    inspect(): number {
      const at = end.requests.claim(codec.REQUEST_HEADER_BYTES);
      codec.writeRequestHeader(end.requests.view, at, codec.OP_INSPECT, 0, ++correlation, 1, 0);
      end.requests.publish();
      return correlation;
    },
    turn: () => partition.turn(NOW),
    /** The correlations of the replies that have come since this was last asked. */
    replied(): number[] {
      const found: number[] = [];
      while (end.replies.next()) {
        found.push(end.replies.view.getUint32(end.replies.offset + codec.CORRELATION_AT, true));
      }
      end.replies.release();
      return found;
    },
  };
}

describe('a commit that goes on beside the next turns', () => {
  it('keeps its replies back until it is done, and no longer', () => {
    const part = open();
    const first = part.send(LARGE);
    part.turn();
    expect(part.syncer.begun).toBe(1);
    expect(part.replied()).toEqual([]);
    expect(part.partition.hasWork()).toBe(false);
    part.hold(false);
    expect(part.partition.hasWork()).toBe(true);
    part.turn();
    expect(part.replied()).toEqual([first]);
  });

  it('is followed by another without a pause; what comes then waits for one of them to end', () => {
    const part = open();
    const first = part.send(LARGE);
    part.turn();
    const second = part.send(SMALL);
    const third = part.inspect();
    part.turn();
    expect(part.syncer.begun).toBe(2);
    const fourth = part.send(SMALL);
    part.turn();
    expect(part.messages()).toBe(3);
    expect(part.syncer.begun).toBe(2);
    expect(part.replied()).toEqual([]);
    part.letOneEnd();
    part.turn();
    expect(part.replied()).toEqual([first]);
    expect(part.syncer.begun).toBe(3);
    part.letOneEnd();
    part.turn();
    expect(part.replied()).toEqual([second, third]);
    part.letOneEnd();
    part.turn();
    expect(part.replied()).toEqual([fourth]);
  });

  it('holds back a reply that needs none, for replies come in order', () => {
    const part = open();
    const first = part.send(LARGE);
    part.turn();
    const second = part.inspect();
    part.turn();
    expect(part.syncer.begun).toBe(1);
    expect(part.replied()).toEqual([]);
    part.letOneEnd();
    part.turn();
    expect(part.replied()).toEqual([first, second]);
  });

  it('loses what it covered, with its replies, when the power fails before it is done', () => {
    const part = open();
    const first = part.send(SMALL);
    part.turn();
    expect(part.replied()).toEqual([first]);
    part.send(LARGE);
    part.turn();
    part.send(LARGE);
    part.turn();
    expect(part.replied()).toEqual([]);
    part.storage.cutPower();
    const again = open(part.storage);
    expect(again.messages()).toBeGreaterThanOrEqual(1);
    expect(again.messages()).toBeLessThan(3);
  });

  it('that fails ends the partition before a reply of it or after it has left', () => {
    const part = open();
    part.send(LARGE);
    part.turn();
    part.send(SMALL);
    part.turn();
    part.storage.failNext({ call: 'sync', code: 'EIO' });
    part.hold(false);
    const failure = expect.objectContaining({ code: 'CAPSTAN_LOG_WRITE_FAILED' });
    expect(() => part.turn()).toThrow(failure);
    expect(part.replied()).toEqual([]);
  });

  it('is waited for when the partition finishes', () => {
    const part = open();
    const asked = [part.send(LARGE)];
    part.turn();
    asked.push(part.send(SMALL));
    part.turn();
    part.partition.finish();
    expect(part.replied()).toEqual(asked);
    part.storage.kill();
    expect(open(part.storage).messages()).toBe(2);
  });

  it('that does not end takes in no more than a commit holds, and shows as no progress', () => {
    const part = open();
    part.send(LARGE);
    part.turn();
    expect(part.partition.progresses()).toBe(false);
    for (let i = 0; i < 7; i++) part.send(Buffer.alloc(1024 * 1000, 'x'));
    for (let i = 0; i < 10 && part.partition.hasWork(); i++) part.turn();
    expect(part.partition.hasWork()).toBe(false);
    const taken = part.messages();
    expect(taken).toBeLessThan(8);
    part.hold(false);
    while (part.partition.hasWork()) part.turn();
    expect(part.messages()).toBe(8);
    expect(part.replied()).toHaveLength(8);
    expect(part.partition.progresses()).toBe(true);
  });
});

it('a turn that wrote little is committed when it ends', () => {
  const part = open();
  const asked = part.send(SMALL);
  part.turn();
  expect(part.syncer.begun).toBe(0);
  expect(part.replied()).toEqual([asked]);
});
