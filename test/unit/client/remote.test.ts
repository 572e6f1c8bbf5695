import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Broker } from '../../../src/client/broker.ts';
import { RemoteTransport } from '../../../src/client/remote-transport.ts';
import { MemoryServer } from '../../support/memory-sockets.ts';
import { WaitingQueueService } from '../../support/waiting-queue-service.ts';

const OPTIONS = {
  url: 'memory:',
  token: undefined,
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

beforeEach(async () => {
  service = new WaitingQueueService();
  server = new MemoryServer(service);
  const transport = new RemoteTransport({ ...OPTIONS, openSocket: server.openSocket });
  await transport.open();
  broker = new Broker(transport);
});
afterEach(() => broker.close());

describe('a remote broker', () => {
  it('sends, receives and deletes', async () => {
    const orders = await broker.createQueue('orders', { visibilityTimeoutMs: 30_000 });
    const sent = await orders.send({ body: 'hello', groupId: 'a', delayMs: 0 });
    const results = await orders.sendBatch([{ body: Uint8Array.of(1, 2, 3) }, { body: 'text' }]);
    expect(results.map(({ error }) => error)).toEqual([undefined, undefined]);
    const messages = await orders.receive({ max: 100 });
    expect(messages.map((message) => message.text())).toEqual(['hello', '\x01\x02\x03', 'text']);
    expect(messages[0]).toMatchObject({ messageId: sent.messageId, groupId: 'a', receiveCount: 1 });
    await orders.deleteBatch(messages.map((message) => message.receiptHandle));
    expect(await orders.counts()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  it('hands over what comes to a consumer, and stops it in an orderly way', async () => {
    const orders = await broker.createQueue('orders');
    await orders.sendBatch(Array.from({ length: 50 }, (_, i) => ({ body: `${i}` })));
    const seen: string[] = [];
    for await (const message of orders.consume({ prefetch: 7 })) {
      seen.push(message.text());
      await message.delete();
      if (seen.length === 30) break;
    }
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
    expect(await orders.counts()).toMatchObject({ visible: 20, inFlight: 0 });
  });

  it('sends again what was not answered when its connection broke', async () => {
    const orders = await broker.createQueue('orders');
    server.onAnswer = () => false;
    const sent = orders.send({ body: 'once' });
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    server.onAnswer = () => true;
    server.link.cut();
    expect((await sent).error).toBeUndefined();
    expect(server.links.length).toBe(2);
    expect((await orders.counts()).visible).toBe(2);
  });
});
