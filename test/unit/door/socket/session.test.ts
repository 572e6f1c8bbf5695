import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SILENT_LOGGER } from '../../../../src/base/logger.ts';
import { HANDLERS } from '../../../../src/door/socket/handlers.ts';
import { BUFFERED_BYTES_MAX, ROOM_BYTES_MAX } from '../../../../src/door/socket/room.ts';
import { SessionContext } from '../../../../src/door/socket/session.ts';
import { CLOSE, PENDING_REQUESTS_MAX } from '../../../../src/wire/frame.ts';
import { deliveriesOf, entryBytes, type Frame, timed } from '../../../support/native-frames.ts';
import { NativePeer, settle } from '../../../support/native-peer.ts';
import { WaitingQueueService } from '../../../support/waiting-queue-service.ts';

let service: WaitingQueueService;
let context: SessionContext;
const peers: NativePeer[] = [];

function contextOf(token?: string): SessionContext {
  return new SessionContext({ service, handlers: HANDLERS, logger: SILENT_LOGGER, token });
}

function connectPeer(of = context): NativePeer {
  const peer = new NativePeer(of);
  peers.push(peer);
  return peer;
}

async function greeted(): Promise<NativePeer> {
  const peer = connectPeer();
  await peer.greet();
  return peer;
}

function sendFrame(correlation: number, ...bodies: (string | Uint8Array)[]): Frame {
  const entries = Buffer.concat(bodies.map((body) => entryBytes({ body })));
  return [3, correlation, 0, bodies.length, entries];
}

function pushedBodies(frames: unknown[][]): string[] {
  return frames
    .filter(([kind]) => kind === 40)
    .flatMap((frame) => deliveriesOf(frame[3] as Uint8Array).map(({ body }) => body));
}

beforeEach(async () => {
  service = new WaitingQueueService();
  context = contextOf();
  await service.createQueue('orders', { visibilityTimeoutMs: 30_000 });
});
afterEach(() => {
  for (const peer of peers.splice(0)) peer.close();
});

describe('a connection', () => {
  it('begins with a HELLO, which is welcomed', async () => {
    const peer = connectPeer();
    await peer.send([1, 7, 1, {}]);
    expect(peer.take()).toEqual([
      [32, 7, 1, expect.objectContaining({ batchEntriesMax: 1000, pendingRequestsMax: 4096 })],
    ]);
  });

  it.each([
    ['another frame before HELLO', [[12, 1]], CLOSE.UNEXPECTED],
    [
      'a second HELLO',
      [
        [1, 1, 1, null],
        [1, 2, 1, null],
      ],
      CLOSE.UNEXPECTED,
    ],
    ['another version', [[1, 1, 2, null]], CLOSE.VERSION],
    ['options that are no map', [[1, 1, 1, 3]], CLOSE.MALFORMED],
    [
      'an unknown kind',
      [
        [1, 1, 1, null],
        [31, 1],
      ],
      CLOSE.UNEXPECTED,
    ],
    [
      'a kind of the server',
      [
        [1, 1, 1, null],
        [36, 1],
      ],
      CLOSE.UNEXPECTED,
    ],
    [
      'an element too many',
      [
        [1, 1, 1, null],
        [12, 1, 1],
      ],
      CLOSE.MALFORMED,
    ],
    [
      'a negative correlation',
      [
        [1, 1, 1, null],
        [12, -1],
      ],
      CLOSE.MALFORMED,
    ],
    [
      'a float',
      [
        [1, 1, 1, null],
        [12, 1.5],
      ],
      CLOSE.MALFORMED,
    ],
    [
      'a handle that is not bound',
      [
        [1, 1, 1, null],
        [5, 1, 3, 1, Buffer.alloc(27)],
      ],
      4405,
    ],
    [
      'a handle over the limit',
      [
        [1, 1, 1, null],
        [2, 4096, 'orders'],
      ],
      CLOSE.OVER_LIMIT,
    ],
    [
      'a name that is too long',
      [
        [1, 1, 1, null],
        [2, 0, 'x'.repeat(81)],
      ],
      CLOSE.MALFORMED,
    ],
    [
      'a receipt that is cut',
      [
        [1, 1, 1, null],
        [2, 0, 'q'],
        [5, 1, 0, 1, Buffer.alloc(26)],
      ],
      4400,
    ],
    [
      'a batch of none',
      [
        [1, 1, 1, null],
        [2, 0, 'orders'],
        [3, 1, 0, 0, Buffer.alloc(0)],
      ],
      4400,
    ],
    [
      'credit over the limit',
      [
        [1, 1, 1, null],
        [2, 0, 'orders'],
        [8, 2, 1, 0, 1e6 + 1, {}],
      ],
      4429,
    ],
    [
      'a timeout that is a text',
      [
        [1, 1, 1, null],
        [2, 0, 'orders'],
        [8, 2, 1, 0, 1, { visibilityTimeoutMs: 'x' }],
      ],
      4400,
    ],
    [
      'arguments that are no map',
      [
        [1, 1, 1, null],
        [11, 2, 'counts', [1]],
      ],
      CLOSE.MALFORMED,
    ],
  ] as [string, Frame[], number][])('is closed over %s', async (_, frames, code) => {
    const peer = connectPeer();
    const other = await greeted();
    await peer.send(...frames);
    expect(peer.closedWith?.code).toBe(code);
    await other.send([12, 9]);
    expect(other.take()).toEqual([[36, 9]]);
  });

  it('is closed over a text message and over an empty one', async () => {
    for (const [bytes, isBinary] of [
      [Buffer.from('{}'), false],
      [Buffer.alloc(0), true],
    ] as const) {
      const peer = connectPeer();
      peer.session.onMessage(bytes, isBinary);
      expect(peer.closedWith?.code).toBe(CLOSE.MALFORMED);
    }
  });

  it('is let in with the token, and closed without it', async () => {
    const guarded = contextOf('secret');
    for (const options of [null, {}, { token: 'Secret' }, { token: 1 }]) {
      const peer = connectPeer(guarded);
      await peer.send([1, 1, 1, options]);
      expect(peer.closedWith?.code).toBe(CLOSE.UNAUTHORIZED);
    }
    const peer = connectPeer(guarded);
    await peer.send([1, 1, 1, { token: 'secret' }]);
    expect(peer.closedWith).toBeUndefined();
  });

  it('is closed when more requests are pending than the limit', async () => {
    const peer = await greeted();
    const receives = Array.from({ length: PENDING_REQUESTS_MAX + 1 }, (_, i) => [
      4,
      i + 1,
      0,
      1,
      20_000,
      null,
      null,
    ]);
    await peer.send(...receives);
    expect(peer.closedWith?.code).toBe(CLOSE.OVER_LIMIT);
  });

  it('takes many frames in one message, and answers a turn in one', async () => {
    const peer = await greeted();
    peer.messages.length = 0;
    await peer.send([12, 1], [12, 2], [12, 3]);
    expect(peer.take()).toEqual([
      [36, 1],
      [36, 2],
      [36, 3],
    ]);
    expect(peer.messages.length).toBe(1);
  });
});

describe('sending and receiving', () => {
  it('answers a batch entry by entry, receives it, and deletes it', async () => {
    const peer = await greeted();
    await peer.send(sendFrame(5, 'hello', Uint8Array.of(0, 255)));
    const [[kind, correlation, count, results]] = peer.take() as [[number, number, number, Buffer]];
    expect([kind, correlation, count, results.length]).toEqual([34, 5, 2, 64]);
    expect([results[0], results[32]]).toEqual([0, 0]);
    await peer.send([4, 6, 0, 10, 0, null, null]);
    const [[, , received, deliveries]] = peer.take() as [[number, number, number, Uint8Array]];
    expect(received).toBe(2);
    const [first, second] = deliveriesOf(deliveries);
    expect(first).toMatchObject({ body: 'hello', receiveCount: 1 });
    await peer.send([5, 7, 0, 2, Buffer.concat([first!.receipt, second!.receipt])]);
    expect(peer.take()).toEqual([[36, 7]]);
    expect(service.counts(service.findQueue('orders')!).inFlight).toBe(0);
  });

  it('refuses what the queue cannot take entry by entry, and accepts the rest', async () => {
    await service.setAttributes('orders', { messageBytesMax: 1024 });
    const peer = await greeted();
    await peer.send(sendFrame(1, 'ok', 'x'.repeat(1025), 'ok too'));
    const [[, , , results]] = peer.take() as [[number, number, number, Buffer]];
    expect([results[0], results[32], results[64]]).toEqual([0, 5, 0]);
    expect(service.counts(service.findQueue('orders')!).visible).toBe(2);
  });

  it('says which receipts do not serve', async () => {
    const peer = await greeted();
    await peer.send(sendFrame(1, 'a'), [4, 2, 0, 1, 0, null, null]);
    const [, [, , , deliveries]] = peer.take() as [unknown, [number, number, number, Uint8Array]];
    const { receipt } = deliveriesOf(deliveries)[0]!;
    await peer.send([5, 3, 0, 2, Buffer.concat([Buffer.alloc(27, 1), receipt])]);
    expect(peer.take()).toEqual([[37, 3, 2, Uint8Array.of(7, 0)]]);
  });

  it('answers a batch over the limits, and a queue that is not there, with errors', async () => {
    const peer = await greeted();
    await peer.send([2, 1, 'nowhere'], [4, 1, 1, 1, 0, null, null], [4, 2, 0, 1001, 0, null, null]);
    await peer.send([6, 3, 0, 1, timed([Buffer.alloc(27)], 43_200_001)]);
    expect(peer.take().map(([kind, id, number]) => [kind, id, number])).toEqual([
      [39, 1, 2],
      [39, 2, 4],
      [39, 3, 4],
    ]);
  });

  it('ends a wait that is cancelled, and answers it', async () => {
    const peer = await greeted();
    await peer.send([4, 1, 0, 1, 20_000, null, null]);
    expect(service.waiting).toBe(1);
    await peer.send([7, 1], [7, 99]);
    expect(peer.take()).toEqual([[35, 1, 0, new Uint8Array(0)]]);
    expect(service.waiting).toBe(0);
  });

  it('ends every wait when the connection closes', async () => {
    const peer = await greeted();
    await peer.send([4, 1, 0, 1, 20_000, null, null], [8, 2, 1, 0, 10, null]);
    expect(service.waiting).toBe(2);
    peer.close();
    await settle();
    expect(service.waiting).toBe(0);
  });

  it('tells the name of a source before the first message that came from it', async () => {
    const peer = await greeted();
    await service.createQueue('origin', {});
    await peer.send(sendFrame(1, 'dead'), sendFrame(2, 'too'));
    service.markDeadLettered(service.findQueue('orders')!, 'origin');
    peer.take();
    await peer.send([4, 3, 0, 10, 0, null, null], [11, 4, 'peek', { queue: 'orders', max: 10 }]);
    const frames = peer.take();
    const { queueId } = service.findQueue('origin')!;
    expect(frames.filter(([kind]) => kind === 42)).toEqual([[42, queueId, 'origin']]);
    expect(frames[0]![0]).toBe(42);
  });
});

describe('a subscription', () => {
  it('is pushed messages up to its credit, and more when that grows', async () => {
    const peer = await greeted();
    await peer.send([8, 1, 5, 0, 2, { visibilityTimeoutMs: 1000 }]);
    expect(peer.take()).toEqual([[38, 1, { visibilityTimeoutMs: 1000 }]]);
    await peer.send(sendFrame(2, 'a', 'b', 'c', 'd'));
    expect(pushedBodies(peer.take())).toEqual(['a', 'b']);
    await peer.send([9, 5, 1]);
    expect(pushedBodies(peer.take())).toEqual(['c']);
    await peer.send([9, 99, 1]);
    expect(peer.closedWith).toBeUndefined();
  });

  it('is pushed nothing more once it is ended', async () => {
    const peer = await greeted();
    await peer.send([8, 1, 5, 0, 100, null]);
    await peer.send([10, 2, 5], [10, 3, 6]);
    expect(peer.take().slice(1)).toEqual([
      [36, 3],
      [36, 2],
    ]);
    await peer.send(sendFrame(4, 'a'));
    expect(pushedBodies(peer.take())).toEqual([]);
  });

  it('answers everyone who ends it, also when the server stops meanwhile', async () => {
    const peer = await greeted();
    await peer.send([8, 1, 5, 0, 100, { releaseOnClose: true }]);
    peer.take();
    const ending = peer.send([10, 2, 5], [10, 3, 5]);
    peer.session.endWaits();
    await ending;
    expect(peer.take()).toEqual([
      [36, 2],
      [36, 3],
    ]);
    expect(peer.session.pendingCount).toBe(0);
    expect(peer.session.releasing).toBe(0);
  });

  it('is ended when its queue is gone', async () => {
    const peer = await greeted();
    await peer.send([8, 1, 5, 0, 1, null], sendFrame(2, 'a'));
    peer.take();
    await service.deleteQueue('orders');
    await peer.send([9, 5, 1]);
    expect(peer.take()).toEqual([[41, 5, 2, expect.any(String)]]);
  });

  it('shares a queue with others evenly', async () => {
    const consumers = await Promise.all(Array.from({ length: 4 }, () => greeted()));
    for (const peer of consumers) await peer.send([8, 1, 1, 0, 1000, { batchMax: 5 }]);
    const sender = await greeted();
    for (let i = 0; i < 20; i++) {
      await sender.send(sendFrame(i + 1, ...Array.from({ length: 5 }, (_, j) => `${i}.${j}`)));
    }
    const shares = consumers.map((peer) => pushedBodies(peer.take()).length);
    expect(shares.reduce((sum, share) => sum + share)).toBe(100);
    expect(Math.min(...shares)).toBeGreaterThan(15);
  });

  it('with releaseOnClose gives back what it has in hand, but not what was settled', async () => {
    const peer = await greeted();
    await peer.send([8, 1, 5, 0, 10, { releaseOnClose: true }]);
    await peer.send(sendFrame(2, 'deleted', 'released', 'extended', 'kept'));
    const push = peer.take().find(([kind]) => kind === 40)!;
    const [a, b, c] = deliveriesOf(push[3] as Uint8Array).map(({ receipt }) => receipt);
    await peer.send([5, 3, 0, 1, a], [13, 4, 0, 1, timed([b!], 60_000)]);
    await peer.send([6, 5, 0, 1, timed([c!], 60_000)]);
    peer.close();
    await settle();
    const other = await greeted();
    await other.send([4, 1, 0, 10, 0, null, null]);
    const [[, , , deliveries]] = other.take() as [[number, number, number, Uint8Array]];
    expect(deliveriesOf(deliveries).map(({ body }) => body)).toEqual(['extended', 'kept']);
  });

  it('without it leaves them to their deadlines', async () => {
    const peer = await greeted();
    await peer.send([8, 1, 5, 0, 10, null], sendFrame(2, 'a'));
    peer.close();
    await settle();
    const queue = service.findQueue('orders')!;
    expect(service.counts(queue)).toMatchObject({ visible: 0, inFlight: 1 });
    service.pass(30_001);
    expect(service.counts(queue)).toMatchObject({ visible: 1, inFlight: 0 });
  });
});

describe('a client that does not read', () => {
  const BODY = 'x'.repeat(100_000);

  async function backlog(count: number): Promise<void> {
    const queue = service.findQueue('orders')!;
    await service.send(
      queue,
      Array.from({ length: count }, () => ({ body: BODY })),
    );
  }

  it('gets a bounded number of messages, and the others are left for those that read', async () => {
    await backlog(200);
    const peer = await greeted();
    peer.peer.blocked = true;
    await peer.send([8, 1, 1, 0, 1000, { batchMax: 1 }]);
    await peer.send(...Array.from({ length: 50 }, (_, i) => [4, i + 2, 0, 1, 20_000, null, null]));
    expect(peer.peer.bufferedBytes).toBeLessThan(ROOM_BYTES_MAX + 60 * 110_000);
    const taken = service.counts(service.findQueue('orders')!).inFlight;
    expect(taken).toBeLessThan(80);
    await peer.send([9, 1, 100]);
    expect(service.counts(service.findQueue('orders')!).inFlight).toBe(taken);
    const reader = await greeted();
    await reader.send([4, 1, 0, 1000, 0, null, null]);
    expect((reader.take()[0] as unknown[])[2]).toBe(200 - taken);
  });

  it('gets the rest when it reads again', async () => {
    await backlog(60);
    const peer = await greeted();
    peer.peer.blocked = true;
    await peer.send([8, 1, 1, 0, 1000, { batchMax: 1 }]);
    expect(pushedBodies(peer.received).length).toBe(0);
    peer.peer.unblock();
    peer.session.onDrain();
    for (let i = 0; i < 60; i++) await settle();
    expect(pushedBodies(peer.take()).length).toBe(60);
  });

  it('loses its connection when more waits for it than a server can hold', async () => {
    const peer = await greeted();
    peer.peer.blocked = true;
    peer.peer.bufferedBytes = BUFFERED_BYTES_MAX + 1;
    await peer.send([12, 1]);
    expect(peer.closedWith?.code).toBe(CLOSE.SLOW_CONSUMER);
  });

  it('is closed once, also if that shows only as the server says goodbye', async () => {
    const peer = await greeted();
    const closes: number[] = [];
    peer.peer.close = (code) => void closes.push(code);
    peer.peer.blocked = true;
    peer.peer.bufferedBytes = BUFFERED_BYTES_MAX + 1;
    const pinged = peer.send([12, 1]);
    peer.session.close(CLOSE.GOING_AWAY, 'The server stops.');
    await pinged;
    expect(closes).toEqual([CLOSE.SLOW_CONSUMER]);
  });
});

describe('calls', () => {
  it('create, describe, change and delete queues', async () => {
    const peer = await greeted();
    const call = async (method: string, args: unknown) => {
      await peer.send([11, 1, method, args]);
      return peer.take()[0]!;
    };
    expect(await call('createQueue', { queue: 'jobs', attributes: { delayMs: 5 } })).toMatchObject([
      38,
      1,
      { name: 'jobs', attributes: { delayMs: 5 } },
    ]);
    expect(
      await call('setAttributes', { queue: 'jobs', attributes: { delayMs: null } }),
    ).toMatchObject([38, 1, { attributes: { delayMs: 0 } }]);
    expect(await call('listQueues', { max: 1, prefix: 'j' })).toMatchObject([
      38,
      1,
      [{ name: 'jobs' }],
    ]);
    expect(await call('counts', { queue: 'jobs' })).toEqual([
      38,
      1,
      { visible: 0, inFlight: 0, delayed: 0 },
    ]);
    expect(await call('deleteQueue', { queue: 'jobs' })).toEqual([38, 1, null]);
    expect(await call('findQueue', { queue: 'jobs' })).toEqual([38, 1, null]);
  });

  it.each([
    ['nonsense', {}, 4],
    ['__proto__', {}, 4],
    ['createQueue', { queue: 3 }, 4],
    ['createQueue', { queue: 'x', attributes: [1] }, 4],
    ['createQueue', { queue: 'x', attributes: { visibilityTimeoutMs: 'y' } }, 4],
    ['createQueue', { queue: 'x', tags: { a: 1 } }, 4],
    ['setTags', { queue: 'orders', add: {}, remove: [3] }, 4],
    ['listQueues', { max: 0 }, 4],
    ['counts', {}, 4],
    ['counts', { queue: 'nowhere' }, 2],
    ['peek', { queue: 'orders', max: 1001 }, 4],
  ])('answer %s of %j with an error', async (method, args, number) => {
    const peer = await greeted();
    await peer.send([11, 1, method, args]);
    expect(peer.take()).toEqual([[39, 1, number, expect.any(String)]]);
    expect(peer.closedWith).toBeUndefined();
  });
});
