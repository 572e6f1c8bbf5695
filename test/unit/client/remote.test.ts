import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/base/errors.ts';
import { Broker } from '../../../src/client/broker.ts';
import { connect } from '../../../src/client/connect.ts';
import { RemoteTransport } from '../../../src/client/remote-transport.ts';
import { MemoryServer } from '../../support/memory-sockets.ts';
import { framesOf, message } from '../../support/native-frames.ts';
import { settle } from '../../support/native-peer.ts';
import { WaitingQueueService } from '../../support/waiting-queue-service.ts';

const OPTIONS = {
  url: 'memory:',
  token: undefined as string | undefined,
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 5_000,
  reconnectBaseMs: 1,
  reconnectMaxMs: 4,
  pingIntervalMs: 60_000,
  bufferBytesMax: 1024 * 1024,
  random: () => 0.5,
};

let service: WaitingQueueService;
let server: MemoryServer;
let broker: Broker;
const brokers: Broker[] = [];

async function open(options: Partial<typeof OPTIONS> = {}): Promise<Broker> {
  const transport = new RemoteTransport({
    ...OPTIONS,
    ...options,
    openSocket: server.openSocket,
  });
  const opened = new Broker(transport);
  brokers.push(opened);
  await transport.open();
  return opened;
}

beforeEach(async () => {
  service = new WaitingQueueService();
  server = new MemoryServer(service);
  broker = await open();
  await broker.createQueue('orders');
});
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((each) => each.close()));
});

/** Kinds of the frames that the server has got from now on. */
function requestKinds(): number[][] {
  const messages: number[][] = [];
  server.onRequest = (bytes) => {
    messages.push(framesOf(bytes).map(([kind]) => kind as number));
    return true;
  };
  return messages;
}

describe('calls of one turn', () => {
  it('leave as one frame per queue and kind, in one message', async () => {
    const orders = broker.queue('orders');
    const messages = requestKinds();
    const sent = await Promise.all(
      Array.from({ length: 50 }, (_, i) => orders.send({ body: `${i}` })),
    );
    expect(messages).toEqual([[2, 3]]);
    expect(new Set(sent.map(({ messageId }) => messageId)).size).toBe(50);
    const received = await orders.receive({ max: 50 });
    messages.length = 0;
    await Promise.all([
      ...received.slice(0, 20).map((each) => each.delete()),
      ...received.slice(20, 40).map((each) => each.release()),
      ...received.slice(40).map((each) => each.extend(1000)),
      broker.queue('other').describe(),
    ]);
    expect(messages.length).toBe(1);
    expect(messages[0]!.toSorted((a, b) => a - b)).toEqual([5, 6, 11, 13]);
    expect(await orders.counts()).toMatchObject({ visible: 20, inFlight: 10 });
  });

  it('fail on their own when only some of them are wrong', async () => {
    await broker.queue('orders').setAttributes({ messageBytesMax: 1024 });
    const orders = broker.queue('orders');
    const bodies = ['fine', 'x'.repeat(1025), 'fine too'];
    const [first, second, third] = await Promise.allSettled([
      ...bodies.map((body) => orders.send({ body })),
      orders.send({ body: 'x', delayMs: -1 }),
    ]);
    expect(first?.status).toBe('fulfilled');
    expect(second).toMatchObject({ reason: { code: 'CAPSTAN_MESSAGE_TOO_LARGE' } });
    expect(third?.status).toBe('fulfilled');
    expect((await orders.counts()).visible).toBe(2);
  });

  it('fill as many frames as a batch may not hold', async () => {
    const orders = broker.queue('orders');
    const body = 'x'.repeat(600_000);
    await Promise.all([orders.send({ body }), orders.send({ body }), orders.send({ body: 'y' })]);
    const many = Array.from({ length: 700 }, () => ({ body: 'z' }));
    const results = await Promise.all([orders.sendBatch(many), orders.sendBatch(many)]);
    expect(results.flat().every(({ error }) => error === undefined)).toBe(true);
    expect((await orders.counts()).visible).toBe(1403);
  });
});

describe('a connection that is lost', () => {
  it('comes back by itself, says so, and sends again what was not answered, in order', async () => {
    const orders = broker.queue('orders');
    const states: (string | undefined)[] = [];
    broker.onStateChange((state, error) => void states.push(state, error?.code));
    server.onAnswer = () => false;
    const sends = [orders.send({ body: 'a' })];
    await settle();
    sends.push(orders.send({ body: 'b' }));
    await settle();
    server.onAnswer = () => true;
    server.down = true;
    server.link.cut();
    await expect.poll(() => broker.state).toBe('reconnecting');
    sends.push(orders.send({ body: 'c' }));
    server.down = false;
    await Promise.all(sends);
    expect(states).toEqual(['reconnecting', 'CAPSTAN_CONNECTION_LOST', 'connected', undefined]);
    const texts = (await orders.receive({ max: 10 })).map((each) => each.text());
    expect(texts).toEqual(['a', 'b', 'a', 'b', 'c']);
  });

  it('takes subscriptions along, with the credit that they had', async () => {
    const orders = broker.queue('orders');
    const consumer = orders.consume({ prefetch: 4 });
    await orders.sendBatch([{ body: 'a' }, { body: 'b' }]);
    expect((await consumer.next()).value!.text()).toBe('a');
    server.link.cut();
    await expect.poll(() => server.links.length).toBe(2);
    await orders.sendBatch(Array.from({ length: 10 }, (_, i) => ({ body: `${i}` })));
    await settle();
    expect((await orders.counts()).visible).toBeGreaterThanOrEqual(6);
    const texts: string[] = [];
    for (let i = 0; i < 11; i++) texts.push((await consumer.next()).value!.text());
    expect(texts).toEqual(['b', ...Array.from({ length: 10 }, (_, i) => `${i}`)]);
    await consumer.stop();
  });

  it('does not repeat what could do harm', async () => {
    server.onAnswer = () => false;
    const task = broker.redrive('orders');
    const purge = broker.queue('orders').purge();
    await settle();
    server.onAnswer = () => true;
    server.link.cut();
    await expect(task).rejects.toMatchObject({ code: 'CAPSTAN_CONNECTION_LOST' });
    await expect(purge).rejects.toMatchObject({ code: 'CAPSTAN_CONNECTION_LOST' });
    expect(service.tasks.length).toBe(1);
  });

  it('is noticed when the server falls silent', async () => {
    const silent = await open({ pingIntervalMs: 60 });
    const link = server.links.at(-1)!;
    server.onAnswer = () => false;
    await expect.poll(() => silent.state).toBe('reconnecting');
    server.onAnswer = () => true;
    await expect.poll(() => silent.state).toBe('connected');
    expect(server.link).not.toBe(link);
  });

  it('is kept by pings when nobody says anything', async () => {
    const quiet = await open({ pingIntervalMs: 60 });
    const messages = requestKinds();
    await expect.poll(() => messages.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(3);
    expect(new Set(messages.flat())).toEqual(new Set([12]));
    expect(quiet.state).toBe('connected');
  });

  it('is closed by the client over an answer that is none', async () => {
    const link = server.link;
    link.peer!.send(message([36, 999]));
    await expect.poll(() => server.links.length).toBe(2);
    expect((await broker.queue('orders').counts()).visible).toBe(0);
  });
});

describe('a frame that the server will not have', () => {
  it('fails what was sent with it, and is not sent again', async () => {
    const tags = { large: 'x'.repeat(300_000) };
    const call = broker.createQueue('other', {}, tags);
    await expect(call).rejects.toMatchObject({ code: 'CAPSTAN_CONNECTION_LOST' });
    await expect.poll(() => broker.state).toBe('connected');
    expect(server.links.length).toBe(2);
    expect((await broker.queue('orders').counts()).visible).toBe(0);
  });
});

describe('what one answer cannot hold', () => {
  it('is asked for in parts, where it is a list of queues', async () => {
    const stored = { Policy: JSON.stringify({ Statement: 'x'.repeat(60_000) }) };
    const names = Array.from({ length: 12 }, (_, i) => `long-${i + 10}`);
    for (const name of names) await service.createQueue(name, { stored });
    const listed = await broker.listQueues({ prefix: 'long-' });
    expect(listed.map(({ name }) => name)).toEqual(names);
    const two = await broker.listQueues({ prefix: 'long-', max: 2, after: names[4] });
    expect(two.map(({ name }) => name)).toEqual(names.slice(5, 7));
    expect(server.links.length).toBe(1);
  });

  it('is refused, where it is anything else', async () => {
    service.listDeadLetterSources = () => Array.from({ length: 4000 }, () => 'x'.repeat(80));
    await expect(broker.queue('orders').deadLetterSources()).rejects.toMatchObject({
      code: 'CAPSTAN_UNSUPPORTED_OPERATION',
    });
    service.listDeadLetterSources = () => {
      throw new BrokerError('CAPSTAN_INVALID_ARGUMENT', 'x'.repeat(5000));
    };
    await expect(broker.queue('orders').deadLetterSources()).rejects.toMatchObject({
      code: 'CAPSTAN_INVALID_ARGUMENT',
    });
    expect(server.links.length).toBe(1);
  });

  it('fails its request with the connection, if it comes all the same', async () => {
    const sources = broker.queue('orders').deadLetterSources();
    const { peer } = server.link;
    server.onRequest = (bytes) => {
      const [frame] = framesOf(bytes);
      peer!.send(message([38, frame![1], 'x'.repeat(300_000)]));
      return false;
    };
    await expect(sources).rejects.toMatchObject({ code: 'CAPSTAN_CONNECTION_LOST' });
  });
});

describe('a name or an id that no server takes', () => {
  it('is refused on the spot, and disturbs nobody else', async () => {
    const long = broker.queue('x'.repeat(81));
    const refused = { code: 'CAPSTAN_QUEUE_DOES_NOT_EXIST' };
    await expect(long.send({ body: 'x' })).rejects.toMatchObject(refused);
    await expect(long.receive()).rejects.toMatchObject(refused);
    await expect(long.delete('x')).rejects.toMatchObject(refused);
    await expect(long.consume().next()).rejects.toMatchObject(refused);
    const orders = broker.queue('orders');
    await expect(orders.receive({ attemptId: 'x'.repeat(129) })).rejects.toMatchObject({
      code: 'CAPSTAN_INVALID_ARGUMENT',
    });
    await orders.send({ body: new Uint8Array(900_000) });
    expect(server.links.length).toBe(1);
  });
});

describe('the first connection', () => {
  it('is tried until it comes about, or until the time is over', async () => {
    server.down = true;
    const late = open();
    await settle();
    server.down = false;
    expect((await late).state).toBe('connected');
    server.down = true;
    await expect(open({ connectTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'CAPSTAN_CONNECTION_LOST',
    });
  });

  it('is not tried at an address that is none', async () => {
    for (const address of ['127.0.0.1:9324', 'localhost:9324', 'ftp://localhost', '']) {
      await expect(connect(address)).rejects.toMatchObject({
        code: 'CAPSTAN_INVALID_ARGUMENT',
        detail: expect.stringContaining('ws://'),
      });
    }
  });

  it('is given up at once when the server wants another token', async () => {
    server = new MemoryServer(service, 'secret');
    await expect(open({ token: 'wrong' })).rejects.toMatchObject({ code: 'CAPSTAN_UNAUTHORIZED' });
    expect((await open({ token: 'secret' })).state).toBe('connected');
  });

  it('pauses longer before each attempt, up to the longest pause', async () => {
    server.down = true;
    const random = () => 1;
    const started = performance.now();
    const options = { connectTimeoutMs: 400, reconnectBaseMs: 20, reconnectMaxMs: 40, random };
    let attempts = 0;
    const { openSocket } = server;
    const transport = new RemoteTransport({
      ...OPTIONS,
      ...options,
      openSocket: (url, events) => {
        attempts++;
        return openSocket(url, events);
      },
    });
    await expect(transport.open()).rejects.toMatchObject({
      detail: 'No connection to memory: came about within 400 ms: refused (1006).',
    });
    expect(performance.now() - started).toBeGreaterThanOrEqual(399);
    expect(attempts).toBeGreaterThan(2);
    // 20, 40, 40 ...: at most eleven in 400 ms.
    expect(attempts).toBeLessThanOrEqual(12);
  });
});

describe('a request', () => {
  it('that is not answered in time rejects, also while there is no connection', async () => {
    const orders = broker.queue('orders');
    server.onAnswer = () => false;
    const timeout = { timeoutMs: 60 };
    await expect(orders.send({ body: 'x' }, timeout)).rejects.toMatchObject({
      code: 'CAPSTAN_TIMEOUT',
    });
    server.down = true;
    server.link.cut();
    await expect(orders.send({ body: 'x' }, timeout)).rejects.toMatchObject({
      code: 'CAPSTAN_TIMEOUT',
    });
    await expect(orders.deleteBatch(['x'], timeout)).rejects.toMatchObject({
      code: 'CAPSTAN_TIMEOUT',
    });
  });

  it('is given up when its signal says so, without disturbing those beside it', async () => {
    const orders = broker.queue('orders');
    const abort = new AbortController();
    const given = orders.send({ body: 'a' }, { signal: abort.signal });
    const kept = orders.send({ body: 'b' });
    abort.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    expect((await kept).messageId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('that brings messages too late gives them back', async () => {
    const orders = broker.queue('orders');
    const abort = new AbortController();
    const held: Uint8Array[] = [];
    server.onAnswer = (bytes) => {
      const isMessages = framesOf(bytes).some(([kind]) => kind === 35);
      if (isMessages) held.push(bytes);
      return !isMessages;
    };
    await orders.send({ body: 'x' });
    const receive = orders.receive({ waitMs: 10_000, signal: abort.signal });
    await expect.poll(() => held.length).toBe(1);
    abort.abort();
    expect(await receive).toEqual([]);
    server.onAnswer = () => true;
    server.link.peer!.send(held[0]!);
    await expect.poll(() => orders.counts()).toMatchObject({ visible: 1, inFlight: 0 });
  });

  it('waits while too many bytes are not answered, and goes on when they are', async () => {
    const orders = broker.queue('orders');
    server.onRequest = () => false;
    const body = new Uint8Array(300_000);
    let accepted = 0;
    const sends = Array.from({ length: 8 }, async () => {
      await orders.send({ body });
      accepted++;
    });
    await settle();
    const frames: number[] = [];
    server.onRequest = (bytes) => {
      frames.push(bytes.length);
      return true;
    };
    server.link.cut();
    await Promise.all(sends);
    expect(accepted).toBe(8);
    expect((await orders.counts()).visible).toBe(8);
    // Three fit the buffer; the others came one after the other.
    expect(frames.filter((bytes) => bytes > 250_000).length).toBeGreaterThan(2);
  });

  it('that waits for room is given up like any other, and takes none', async () => {
    const orders = broker.queue('orders');
    const body = new Uint8Array(900_000);
    server.onRequest = () => false;
    const first = orders.send({ body });
    const abort = new AbortController();
    const given = orders.send({ body }, { signal: abort.signal });
    const late = orders.send({ body }, { timeoutMs: 60 });
    const last = orders.send({ body: 'last' });
    abort.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await expect(late).rejects.toMatchObject({ code: 'CAPSTAN_TIMEOUT' });
    server.onRequest = () => true;
    server.link.cut();
    await Promise.all([first, last, orders.send({ body })]);
    expect((await orders.counts()).visible).toBe(3);
  });

  it('is refused once the broker is closed', async () => {
    const orders = broker.queue('orders');
    const consumer = orders.consume();
    const pending = orders.receive({ waitMs: 10_000 });
    const outcomes = Promise.allSettled([pending, consumer.next()]);
    await turn();
    await broker.close();
    await broker.close();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ reason: { code: 'CAPSTAN_CONNECTION_LOST' } });
    }
    await expect(orders.send({ body: 'x' })).rejects.toMatchObject({
      code: 'CAPSTAN_CONNECTION_LOST',
    });
    const late = orders.consume();
    await expect(late.next()).rejects.toBeInstanceOf(Error);
    expect(broker.state).toBe('closed');
  });
});

describe('a consumer', () => {
  it('drops what has waited beyond its visibility, and goes on with what comes', async () => {
    const orders = broker.queue('orders');
    await orders.sendBatch([{ body: 'a' }, { body: 'b' }]);
    const consumer = orders.consume({ prefetch: 2, visibilityTimeoutMs: 100 });
    expect((await consumer.next()).value!.text()).toBe('a');
    await new Promise((resolve) => setTimeout(resolve, 120));
    service.pass(101);
    const texts = [(await consumer.next()).value!.text(), (await consumer.next()).value!.text()];
    expect(texts).toEqual(['a', 'b']);
    await consumer.stop();
  });

  it('keeps and gives back more messages than one batch holds', async () => {
    const orders = broker.queue('orders');
    const bodies = Array.from({ length: 750 }, (_, i) => ({ body: `${i}` }));
    await Promise.all([orders.sendBatch(bodies), orders.sendBatch(bodies)]);
    const waiting = orders.consume({ prefetch: 1500 });
    await expect.poll(() => orders.counts()).toMatchObject({ inFlight: 1500 });
    await waiting.stop();
    expect(await orders.counts()).toMatchObject({ visible: 1500 });
    const extensions: number[] = [];
    server.onRequest = (bytes) => {
      const extending = framesOf(bytes).filter(([kind]) => kind === 6);
      extensions.push(...extending.map(([, , , count]) => count as number));
      return true;
    };
    let finish!: () => void;
    const work = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const failures: unknown[] = [];
    const options = { concurrency: 1500, visibilityTimeoutMs: 1500 };
    const handled = orders.consume(() => work, {
      ...options,
      onError: (error) => failures.push(error),
    });
    await expect.poll(() => extensions.slice(-2), { timeout: 20_000 }).toEqual([1000, 500]);
    finish();
    await handled.stop();
    expect(failures).toEqual([]);
  });

  it('refuses options that make no sense', () => {
    const orders = broker.queue('orders');
    expect(() => orders.consume({ prefetch: 1_000_001 })).toThrow(RangeError);
    expect(() => orders.consume({ prefetch: 0 })).toThrow(RangeError);
    expect(() => orders.consume(() => undefined, { concurrency: 1.5 })).toThrow(RangeError);
  });

  it('with releaseOnDisconnect gives its messages back when its connection is lost', async () => {
    const orders = broker.queue('orders');
    const consumer = orders.consume({ prefetch: 1, releaseOnDisconnect: true });
    await orders.send({ body: 'x' });
    expect((await consumer.next()).value!.receiveCount).toBe(1);
    server.link.cut();
    expect((await consumer.next()).value!.receiveCount).toBe(2);
    await consumer.stop();
  });
});
