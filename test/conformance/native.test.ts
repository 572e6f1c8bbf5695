/* One suite over the embedded and the remote broker: whoever writes against one may run on the
 * other. */

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '../../src/client/broker.ts';
import type { Message } from '../../src/client/message.ts';
import type { Queue } from '../../src/client/queue.ts';
import { NATIVE_TRANSPORTS, type OpenTransport } from '../support/native-transports.ts';

const WAIT = { waitMs: 10_000 };

describe.each(NATIVE_TRANSPORTS)('a broker, $name', (transport) => {
  let open: OpenTransport;
  let broker: Broker;
  let count = 0;

  beforeAll(async () => {
    open = await transport.open(2);
    broker = open.broker;
  });
  afterAll(() => open?.close());

  function fresh(attributes: Parameters<Broker['createQueue']>[1] = {}): Promise<Queue> {
    const suffix = attributes.fifo === true ? '.fifo' : '';
    return broker.createQueue(`queue-${++count}${suffix}`, attributes);
  }

  async function receiveAll(queue: Queue, wanted: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < wanted) {
      messages.push(...(await queue.receive({ max: wanted - messages.length, ...WAIT })));
    }
    return messages;
  }

  it('gives back what was sent, with everything that was said about it', async () => {
    const queue = await fresh();
    const before = Date.now();
    const sent = await queue.send({
      body: 'hällo 💥',
      groupId: 'group',
      traceHeader: 'Root=1',
      attributes: {
        text: 'ü',
        number: 1.5,
        bytes: Uint8Array.of(0, 255),
        custom: { type: 'Number.price', value: '3' },
      },
    });
    expect(sent.messageId).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    const [message] = await queue.receive(WAIT);
    expect(message!.text()).toBe('hällo 💥');
    expect(Buffer.from(message!.body).toString('utf8')).toBe('hällo 💥');
    expect(message).toMatchObject({
      messageId: sent.messageId,
      sequenceNumber: sent.sequenceNumber,
      receiveCount: 1,
      groupId: 'group',
      deduplicationId: undefined,
      traceHeader: 'Root=1',
      deadLetterSource: undefined,
    });
    expect(message!.receiptHandle).toMatch(/^[\w-]{36}$/);
    expect(message!.sentAtMs).toBeGreaterThan(before - 60_000);
    expect(message!.firstReceivedAtMs).toBeGreaterThanOrEqual(message!.sentAtMs);
    const { text, number, bytes, custom } = message!.attributes;
    expect(text).toEqual({ type: 'String', value: 'ü' });
    expect(number).toEqual({ type: 'Number', value: '1.5' });
    expect([...(bytes!.value as Uint8Array)]).toEqual([0, 255]);
    expect(custom).toEqual({ type: 'Number.price', value: '3' });
    await message!.delete();
  });

  it('takes bytes, text, nothing at all, and the largest message', async () => {
    const queue = await fresh();
    const bodies = [Uint8Array.of(0, 1, 255), '', 'x'.repeat(1024 * 1024), 'a\0b'];
    for (const body of bodies) await queue.send({ body });
    const messages = await receiveAll(queue, bodies.length);
    const sizes = messages.map((message) => message.body.length).toSorted((a, b) => a - b);
    expect(sizes).toEqual([0, 3, 3, 1024 * 1024]);
  });

  it('answers each message of a batch', async () => {
    const queue = await fresh({ messageBytesMax: 1024 });
    const bodies = Array.from({ length: 1000 }, (_, i) => ({ body: `${i}`, groupId: `${i % 7}` }));
    const results = await queue.sendBatch(bodies);
    expect(results.length).toBe(1000);
    expect(results.every(({ error }) => error === undefined)).toBe(true);
    expect(new Set(results.map(({ messageId }) => messageId)).size).toBe(1000);
    const messages = await receiveAll(queue, 1000);
    expect(new Set(messages.map((message) => message.text())).size).toBe(1000);
    const ids = new Map(results.map(({ messageId }, i) => [messageId, `${i}`]));
    for (const message of messages) expect(ids.get(message.messageId)).toBe(message.text());
    expect(await queue.deleteBatch(messages)).toEqual(messages.map(() => undefined));
    expect(await queue.sendBatch([])).toEqual([]);
    expect(await queue.deleteBatch([])).toEqual([]);
  });

  it('refuses what is wrong, with the same code everywhere', async () => {
    const queue = await fresh({ messageBytesMax: 1024 });
    const wide = await fresh();
    const nowhere = broker.queue('nowhere');
    const refusals: [Promise<unknown>, string][] = [
      [nowhere.send({ body: 'x' }), 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
      [nowhere.receive(), 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
      [nowhere.deleteBatch(['x']), 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
      [nowhere.counts(), 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
      [nowhere.purge(), 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
      [nowhere.peek(), 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
      [nowhere.setAttributes({ delayMs: 1 }), 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
      [queue.send({ body: 'x'.repeat(1025) }), 'CAPSTAN_MESSAGE_TOO_LARGE'],
      [queue.send({ body: 'x', delayMs: -1 }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.send({ body: 'x', delayMs: 1.5 }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.send({ body: 'x', groupId: '' }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.send({ body: 'x', groupId: 'g'.repeat(129) }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.send({ body: 'x', attributes: { 'a b': 'x' } }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.send({ body: 'x', attributes: { a: '' } }), 'CAPSTAN_INVALID_ARGUMENT'],
      [
        queue.sendBatch(Array.from({ length: 1001 }, () => ({ body: 'x' }))),
        'CAPSTAN_BATCH_TOO_LARGE',
      ],
      [
        wide.sendBatch(Array.from({ length: 30 }, () => ({ body: 'x'.repeat(100_000) }))),
        'CAPSTAN_BATCH_TOO_LARGE',
      ],
      [queue.receive({ max: 0 }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.receive({ max: 1001 }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.receive({ waitMs: 20_001 }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.receive({ visibilityTimeoutMs: 43_200_001 }), 'CAPSTAN_INVALID_ARGUMENT'],
      [queue.delete('x'.repeat(36)), 'CAPSTAN_RECEIPT_HANDLE_INVALID'],
      [queue.delete('short'), 'CAPSTAN_RECEIPT_HANDLE_INVALID'],
      [queue.extend('x'.repeat(36), 1), 'CAPSTAN_RECEIPT_HANDLE_INVALID'],
      [queue.extend('x'.repeat(36), -1), 'CAPSTAN_INVALID_ARGUMENT'],
      [broker.createQueue('a b'), 'CAPSTAN_INVALID_ARGUMENT'],
      [broker.createQueue(queue.name, { delayMs: 9 }), 'CAPSTAN_QUEUE_NAME_EXISTS'],
      [broker.cancelRedrive('nothing'), 'CAPSTAN_RESOURCE_NOT_FOUND'],
    ];
    const codes = await Promise.all(
      refusals.map(([call]) =>
        call.then(
          () => 'none',
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(codes).toEqual(refusals.map(([, code]) => code));
  });

  it('does not let a receipt serve on another queue, nor after its message is gone', async () => {
    const queue = await fresh();
    const other = await fresh();
    await queue.sendBatch([{ body: 'a' }, { body: 'b' }]);
    const [a, b] = await receiveAll(queue, 2);
    expect(await other.deleteBatch([a!, b!.receiptHandle])).toEqual([
      'CAPSTAN_RECEIPT_HANDLE_INVALID',
      'CAPSTAN_RECEIPT_HANDLE_INVALID',
    ]);
    await a!.delete();
    await queue.delete(a!.receiptHandle);
    await expect(a!.extend(1000)).rejects.toMatchObject({ code: 'CAPSTAN_MESSAGE_NOT_IN_FLIGHT' });
  });

  it('hides what was received, and shows it again: at once, later, at its deadline', async () => {
    const queue = await fresh({ visibilityTimeoutMs: 60_000 });
    await queue.sendBatch([{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
    const messages = await receiveAll(queue, 3);
    expect(await queue.receive({ max: 3 })).toEqual([]);
    await messages[0]!.release();
    const [again] = await queue.receive(WAIT);
    expect(again).toMatchObject({ messageId: messages[0]!.messageId, receiveCount: 2 });
    await messages[1]!.release(200);
    await messages[2]!.extend(100);
    const later = await receiveAll(queue, 2);
    expect(new Set(later.map(({ messageId }) => messageId))).toEqual(
      new Set([messages[1]!.messageId, messages[2]!.messageId]),
    );
  });

  it('delays what is to be delayed', async () => {
    const queue = await fresh();
    await queue.send({ body: 'later', delayMs: 300 });
    expect(await queue.receive()).toEqual([]);
    const started = performance.now();
    const [message] = await queue.receive(WAIT);
    expect(message!.text()).toBe('later');
    expect(performance.now() - started).toBeLessThan(9_000);
  });

  it('ends a wait when its signal says so, and gives back what had been on its way', async () => {
    const queue = await fresh();
    const abort = new AbortController();
    const waiting = queue.receive({ ...WAIT, signal: abort.signal });
    abort.abort();
    expect(await waiting).toEqual([]);
    await queue.send({ body: 'x' });
    expect((await queue.receive(WAIT)).length).toBe(1);
    expect(await queue.receive({ ...WAIT, signal: AbortSignal.abort() })).toEqual([]);
  });

  it('keeps the order of each group of a FIFO queue, and enqueues an id once', async () => {
    const queue = await fresh({ fifo: true });
    const batch = Array.from({ length: 20 }, (_, i) => ({
      body: `${i}`,
      groupId: `${i % 2}`,
      deduplicationId: `${i}`,
    }));
    const first = await queue.sendBatch(batch);
    const second = await queue.sendBatch(batch);
    expect(second.map(({ messageId }) => messageId)).toEqual(
      first.map(({ messageId }) => messageId),
    );
    expect(second.map(({ sequenceNumber }) => sequenceNumber)).toEqual(
      first.map(({ sequenceNumber }) => sequenceNumber),
    );
    const messages = await receiveAll(queue, 20);
    for (const group of ['0', '1']) {
      const texts = messages.filter(({ groupId }) => groupId === group).map((each) => each.text());
      expect(texts).toEqual(
        batch.filter(({ groupId }) => groupId === group).map(({ body }) => body),
      );
    }
    const byContent = await fresh({ fifo: true, contentBasedDeduplication: true });
    for (let i = 0; i < 2; i++) await byContent.send({ body: 'same', groupId: 'g' });
    expect((await byContent.counts()).visible).toBe(1);
  });

  it('brings the same messages for the same attempt', async () => {
    const queue = await fresh({ fifo: true });
    await queue.send({ body: 'x', groupId: 'g', deduplicationId: 'd' });
    const options = { ...WAIT, attemptId: 'attempt' };
    const [first] = await queue.receive(options);
    const [second] = await queue.receive(options);
    expect(second!.messageId).toBe(first!.messageId);
  });

  it('moves what is received too often to the dead-letter queue, and back', async () => {
    const dead = await fresh();
    const queue = await fresh({
      redrivePolicy: { deadLetterQueue: dead.name, maxReceiveCount: 1 },
    });
    await queue.send({ body: 'bad' });
    const [message] = await queue.receive(WAIT);
    await message!.release();
    expect(await queue.receive({ waitMs: 100 })).toEqual([]);
    const [buried] = await dead.receive(WAIT);
    expect(buried).toMatchObject({ deadLetterSource: queue.name, messageId: message!.messageId });
    expect(await dead.deadLetterSources()).toEqual([queue.name]);
    await buried!.release();
    const task = await broker.redrive(dead.name);
    expect(task).toMatchObject({ source: dead.name, destination: undefined });
    expect((await queue.receive(WAIT))[0]!.text()).toBe('bad');
    const [listed] = await broker.listRedrives(dead.name);
    expect(listed!.taskId).toBe(task.taskId);
  });

  it('looks at messages, counts them, and purges them', async () => {
    const queue = await fresh();
    expect(await queue.oldestSentAtMs()).toBeUndefined();
    await queue.sendBatch([{ body: 'a' }, { body: 'b' }, { body: 'c', delayMs: 60_000 }]);
    const [first] = await queue.peek(1);
    expect(first).toMatchObject({ receiptHandle: '', receiveCount: 0 });
    await expect(first!.delete()).rejects.toMatchObject({ code: 'CAPSTAN_RECEIPT_HANDLE_INVALID' });
    await queue.receive({ max: 1 });
    await expect.poll(() => queue.counts()).toEqual({ visible: 1, inFlight: 1, delayed: 1 });
    expect(await queue.oldestSentAtMs()).toBeTypeOf('number');
    await queue.purge();
    await expect.poll(() => queue.counts()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  it('creates, describes, changes, lists and deletes queues', async () => {
    const queue = await broker.createQueue('listed-b', { visibilityTimeoutMs: 5_000 }, { a: 'b' });
    await broker.createQueue('listed-a');
    await broker.createQueue('listed-b', { visibilityTimeoutMs: 5_000 });
    expect(await queue.describe()).toMatchObject({
      name: 'listed-b',
      attributes: { visibilityTimeoutMs: 5_000, fifo: false },
      tags: { a: 'b' },
    });
    await queue.setAttributes({ visibilityTimeoutMs: undefined, delayMs: 7 });
    await queue.setTags({ c: 'd' }, ['a']);
    const definition = await queue.describe();
    expect(definition).toMatchObject({
      attributes: { visibilityTimeoutMs: 30_000, delayMs: 7 },
      tags: { c: 'd' },
    });
    const names = (list: { name: string }[]) => list.map(({ name }) => name);
    expect(names(await broker.listQueues({ prefix: 'listed' }))).toEqual(['listed-a', 'listed-b']);
    expect(names(await broker.listQueues({ prefix: 'listed', max: 1 }))).toEqual(['listed-a']);
    const after = { prefix: 'listed', after: 'listed-a' };
    expect(names(await broker.listQueues(after))).toEqual(['listed-b']);
    await broker.deleteQueue('listed-a');
    await broker.deleteQueue('listed-b');
    expect(await queue.describe()).toBeUndefined();
  });

  it('hands messages to an iterator, and gives back what waits when it ends', async () => {
    const queue = await fresh();
    await queue.sendBatch(Array.from({ length: 100 }, (_, i) => ({ body: `${i}` })));
    const seen = new Set<string>();
    for await (const message of queue.consume({ prefetch: 30 })) {
      seen.add(message.text());
      await message.delete();
      if (seen.size === 50) break;
    }
    await expect.poll(() => queue.counts()).toEqual({ visible: 50, inFlight: 0, delayed: 0 });
    const abort = new AbortController();
    let more = 0;
    for await (const message of queue.consume({ signal: abort.signal })) {
      void message.delete();
      if (++more === 50) abort.abort();
    }
    expect(more).toBe(50);
  });

  it('hands messages to handlers, deletes what is done, retries what they threw on', async () => {
    const queue = await fresh({ visibilityTimeoutMs: 500 });
    const failures: string[] = [];
    const handled = new Map<string, number>();
    let running = 0;
    let runningMax = 0;
    const consumer = queue.consume(
      async (message) => {
        running++;
        runningMax = Math.max(runningMax, running);
        const text = message.text();
        // Longer than the visibility timeout: without extension it would come twice.
        if (text === 'slow') await pause(1500);
        running--;
        if (text === 'bad' && message.receiveCount === 1) throw new Error('no');
        handled.set(text, (handled.get(text) ?? 0) + 1);
      },
      { concurrency: 4, retryDelayMs: 10, onError: (error) => void failures.push(String(error)) },
    );
    await queue.sendBatch(
      ['slow', 'bad', ...Array.from({ length: 20 }, (_, i) => `${i}`)].map((body) => ({ body })),
    );
    await expect.poll(() => handled.size, { timeout: 20_000 }).toBe(22);
    await consumer.stop();
    expect([...handled.values()].every((times) => times === 1)).toBe(true);
    expect(failures).toEqual(['Error: no']);
    expect(runningMax).toBeLessThanOrEqual(4);
    await expect.poll(() => queue.counts()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  it('lets running handlers finish when it stops, and takes up no more messages', async () => {
    const queue = await fresh();
    await queue.sendBatch([{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
    let started = 0;
    let finish!: () => void;
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const consumer = queue.consume(async (_, signal) => {
      started++;
      await gate;
      expect(signal.aborted).toBe(true);
    });
    await expect.poll(() => started).toBe(1);
    const stopped = consumer.stop();
    finish();
    await stopped;
    await consumer.finished;
    expect(started).toBe(1);
    await expect.poll(() => queue.counts()).toEqual({ visible: 2, inFlight: 0, delayed: 0 });
  });

  it('ends a consumer whose queue is deleted', async () => {
    const queue = await fresh();
    const consumer = queue.consume();
    const next = consumer.next();
    await queue.send({ body: 'x' });
    expect((await next).done).toBe(false);
    const gone = { code: 'CAPSTAN_QUEUE_DOES_NOT_EXIST' };
    const end = expect(consumer.next()).rejects.toMatchObject(gone);
    await broker.deleteQueue(queue.name);
    await end;
    await expect(consumer.finished).rejects.toMatchObject(gone);
    const none = broker.queue('nowhere').consume();
    await expect(none.next()).rejects.toMatchObject(gone);
  });

  it('shares a queue among consumers, and what a stalled one has goes to the others', async () => {
    const queue = await fresh({ visibilityTimeoutMs: 2_000 });
    const others = await Promise.all(Array.from({ length: 4 }, () => open.another()));
    const counts = [0, 0, 0, 0];
    const consumers = others.map((each, i) =>
      each.queue(queue.name).consume(
        async () => {
          counts[i]!++;
          // The last one takes one message, and is stuck with it and with what it has prefetched.
          if (i === 3) await pause(4_000);
        },
        { prefetch: 10 },
      ),
    );
    for (let i = 0; i < 20; i++) {
      await queue.sendBatch(Array.from({ length: 20 }, () => ({ body: 'x', groupId: 'one' })));
    }
    await expect
      .poll(() => counts[0]! + counts[1]! + counts[2]!, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(399);
    expect(Math.min(counts[0]!, counts[1]!, counts[2]!)).toBeGreaterThan(40);
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  });
});
