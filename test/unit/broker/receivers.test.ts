import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BrokerError, ERRORS, NO_ERROR } from '../../../src/base/errors.ts';
import { NODE_EVENT_LOOP } from '../../../src/base/event-loop.ts';
import type { Delivered } from '../../../src/broker/delivered.ts';
import { PartitionHandle } from '../../../src/broker/partition-handle.ts';
import { ReceiptCodec } from '../../../src/broker/receipt-handle.ts';
import { QueueReceivers, type ReceiverOptions } from '../../../src/broker/receivers.ts';
import { deferred } from '../../../src/broker/requests.ts';
import { allocateBoard, Board } from '../../../src/command/board.ts';
import * as codec from '../../../src/command/command-codec.ts';
import { encodeEntry } from '../../../src/command/message-entry.ts';
import { allocateDoorbell } from '../../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexServerEnd } from '../../../src/ring/duplex.ts';
import { queueDefinition } from '../../support/queue-definitions.ts';

const ROUTER = 0;
const OPTIONS: ReceiverOptions = {
  max: 1,
  bytesMax: 1_000_000,
  visibilityTimeoutMs: codec.TIMEOUT_OF_QUEUE,
  attempt: 0,
  waitMs: 20_000,
};

const queue = queueDefinition(3, 'orders');
let board: Board;
let handle: PartitionHandle;
let partition: DuplexServerEnd;
let receivers: QueueReceivers;
let mayWait: boolean;

beforeEach(() => {
  mayWait = true;
  board = new Board(allocateBoard(1, 10));
  handle = new PartitionHandle(0);
  const rings = allocateDuplex(4 * 1024 * 1024);
  const doorbells = { routerDoorbell: allocateDoorbell(), partitionDoorbell: allocateDoorbell() };
  handle.attach({ router: ROUTER, ...rings, ...doorbells });
  partition = new DuplexServerEnd(rings);
  receivers = new QueueReceivers(queue, {
    router: ROUTER,
    board,
    handles: [handle],
    receipts: new ReceiptCodec(new Uint8Array(32)),
    eventLoop: NODE_EVENT_LOOP,
    nameOf: () => undefined,
    flushSoon: () => handle.flush(),
    giveBack: () => {},
    mayWait: () => mayWait,
  });
});
afterEach(() => receivers.close(undefined));

/** What the partition says of the queue; returns who waits for it. */
function publish(ready: number): number {
  return board.publish(0, queue.boardRow, ready, ready, 0, 0);
}

/** Takes the next request up; its correlation, or undefined when there is none. */
function takeRequest(): number | undefined {
  const { requests } = partition;
  if (!requests.next()) return undefined;
  expect(requests.buffer[requests.offset]).toBe(codec.OP_RECEIVE);
  const correlation = requests.view.getUint32(requests.offset + codec.CORRELATION_AT, true);
  requests.release();
  return correlation;
}

function reply(correlation: number, bodies: readonly string[], error = NO_ERROR): void {
  const { replies } = partition;
  const at = replies.claim(10_000);
  const { buffer, view } = replies;
  codec.writeReplyHeader(view, at, codec.OP_RECEIVE, error, bodies.length, correlation, 0, 0);
  let end = at + codec.REPLY_HEADER_BYTES;
  for (const body of bodies) {
    buffer.fill(0, end, end + codec.DELIVERY_HEADER_BYTES);
    const id = new Uint8Array(16);
    end = encodeEntry({ body }, id, buffer, view, end + codec.DELIVERY_HEADER_BYTES);
  }
  replies.shrink(end - at);
  replies.publish();
  handle.drain(() => {});
}

function receive(): Promise<Delivered[]> {
  const result = deferred<Delivered[]>();
  receivers.receive(OPTIONS, result);
  return result.promise;
}

describe('once waits have been ended', () => {
  it('one that comes then has no messages before long', async () => {
    mayWait = false;
    expect(await receive()).toEqual([]);
  });

  it('one that was asking then waits no longer than for its answer', async () => {
    publish(1);
    const received = receive();
    const correlation = takeRequest()!;
    publish(0);
    receivers.close(undefined);
    mayWait = false;
    reply(correlation, []);
    expect(await received).toEqual([]);
  });
});

describe('receivers that find no room for what they ask', () => {
  it('fail by themselves, once, and leave nothing behind', async () => {
    const told: unknown[] = [];
    const settle = (name: string) => ({
      resolve: (messages: Delivered[]) => told.push([name, messages.length]),
      reject: (error: unknown) => told.push([name, (error as BrokerError).code]),
    });
    receivers.receive(OPTIONS, settle('waiting'));
    const begin = vi.spyOn(handle, 'begin').mockImplementation(() => {
      throw new BrokerError('CAPSTAN_THROTTLED', 'full');
    });
    publish(1); // Nobody has rung yet: the next to come has the first ask.
    receivers.receive(OPTIONS, settle('next'));
    expect(told).toEqual([
      ['waiting', 'CAPSTAN_THROTTLED'],
      ['next', 'CAPSTAN_THROTTLED'],
    ]);
    expect(receivers.idle).toBe(true);
    begin.mockRestore();
    const received = receive();
    reply(takeRequest()!, ['one']);
    expect(await received).toHaveLength(1);
    expect(told).toHaveLength(2);
  });
});

describe('receivers of one queue', () => {
  it('ask for what came while another ask was under way, without being rung for it', async () => {
    publish(1);
    const first = receive();
    const asked = takeRequest()!;
    // The partition has taken that ask up, and another message has come; nobody waits yet.
    expect(publish(1)).toBe(0);
    const second = receive();
    expect(takeRequest()).toBeUndefined();
    reply(asked, ['one']);
    reply(takeRequest()!, ['two']);
    const texts = (await Promise.all([first, second])).flat().map((message) => message.text());
    expect(texts).toEqual(['one', 'two']);
  });

  it('do not ask on and on where the queue has as many in flight as it may', () => {
    publish(5);
    void receive();
    reply(takeRequest()!, [], ERRORS.CAPSTAN_OVER_LIMIT.number);
    expect(takeRequest()).toBeUndefined();
  });

  it('do not ask on and on where nothing is given out though it is said to be ready', () => {
    publish(5);
    void receive();
    let asks = 0;
    for (let asked = takeRequest(); asked !== undefined; asked = takeRequest()) {
      expect(++asks).toBeLessThan(10);
      reply(asked, []);
    }
    expect(asks).toBeGreaterThan(1);
  });
});
