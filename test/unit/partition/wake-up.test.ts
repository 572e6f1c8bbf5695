import { expect, test } from 'vitest';
import { RING_BYTES } from '../../../src/base/limits.ts';
import { allocateBoard, Board } from '../../../src/command/board.ts';
import * as codec from '../../../src/command/command-codec.ts';
import { encodeEntry } from '../../../src/command/message-entry.ts';
import { Partition, RouterLink } from '../../../src/partition/partition.ts';
import { MessageStore } from '../../../src/queue/message-store.ts';
import { QueueState } from '../../../src/queue/queue-state.ts';
import { allocateDoorbell, Doorbell } from '../../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexClientEnd, DuplexServerEnd } from '../../../src/ring/duplex.ts';
import { MemoryStorage } from '../../support/memory-log.ts';
import { settingsOf } from '../../support/partition-state.ts';

const BODY = Buffer.alloc(1_000_000, 'x');

function ask(end: DuplexClientEnd, op: number, count: number, operand = 0): void {
  const at = end.requests.claim(codec.REQUEST_HEADER_BYTES);
  codec.writeRequestHeader(end.requests.view, at, op, count, 1, 1, operand);
}

function send(end: DuplexClientEnd): void {
  const at = end.requests.claim(codec.REQUEST_HEADER_BYTES + BODY.length + 100);
  const { buffer, view } = end.requests;
  codec.writeRequestHeader(view, at, codec.OP_SEND, 1, 1, 1, 0);
  const from = at + codec.REQUEST_HEADER_BYTES;
  const entryEnd = encodeEntry({ body: BODY }, new Uint8Array(16), buffer, view, from);
  end.requests.shrink(entryEnd - at);
}

test('a router that makes room bit by bit wakes the partition until there is enough', () => {
  const memory = allocateDuplex(RING_BYTES);
  const end = new DuplexClientEnd(memory);
  const store = new MessageStore(1024 * 1024);
  store.define(settingsOf(1));
  const log = new MemoryStorage().open(() => {});
  const partition = new Partition({
    index: 0,
    partitions: 1,
    log,
    state: new QueueState(store, log),
    board: new Board(allocateBoard(1, 8)),
    links: [new RouterLink(0, new DuplexServerEnd(memory), new Doorbell(allocateDoorbell()))],
    faults: false,
  });
  send(end);
  end.requests.publish();
  partition.turn(1000);
  for (let i = 0; i < 6; i++) ask(end, codec.OP_PEEK, 1, codec.REPLY_SPACE_MIN);
  end.requests.publish();
  do partition.turn(1000);
  while (partition.hasWork());
  expect(end.replies.next()).toBe(true);
  expect(end.replies.release()).toBe(true);
  // It goes to sleep: what was released is not enough.
  expect(partition.hasWork()).toBe(false);
  expect(end.replies.next()).toBe(true);
  expect(end.replies.release()).toBe(true);
});
