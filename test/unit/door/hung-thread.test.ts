/* Threads that hang in every way that JavaScript knows, with the sockets of a real server open. */

import { once } from 'node:events';
import { request } from 'node:http';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { endHungThread } from '../../../src/door/hung-thread.ts';

/** What a request makes the thread do. */
const WAYS = {
  'an endless loop': 'for (;;);',
  'a loop that catches everything': 'for (;;) try { for (;;); } catch {} finally { for (;;); }',
  'an endless wait': 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)',
  'promises without end': '(async () => { for (;;) await null; })()',
  'ticks without end': 'const tick = () => process.nextTick(tick); tick()',
  'a loop in a timer': 'setTimeout(() => { for (;;); })',
  'an endless regular expression': "/^(a+)+$/.test('a'.repeat(60) + 'b')",
};

/** As a door is: with sockets that must be closed before it ends. */
const program = (way: string): string => `
  const { parentPort } = require('node:worker_threads');
  const uws = require('uWebSockets.js');
  const app = uws.App();
  Object.defineProperty(globalThis, Symbol.for('capstan.abandon'), { value: () => app.close() });
  app.get('/', (response) => {
    response.onAborted(() => {});
    parentPort.postMessage('hangs');
    ${way};
  });
  app.listen('127.0.0.1', 0, (socket) => parentPort.postMessage(uws.us_socket_local_port(socket)));
`;

it.each(Object.entries(WAYS))('a thread in %s closes its sockets and ends', async (_, way) => {
  const worker = new Worker(program(way), { eval: true });
  const [port] = (await once(worker, 'message')) as [number];
  const asked = request({ host: '127.0.0.1', port });
  const reset = once(asked, 'response').then(
    () => 'answered',
    (error: NodeJS.ErrnoException) => error.code,
  );
  const hangs = once(worker, 'message');
  asked.end();
  await hangs;
  await endHungThread(worker);
  expect(await reset).toBe('ECONNRESET');
  // The process, which would not be here any more, had a socket been left open.
  expect(worker.threadId).toBe(-1);
});

it('a thread that has not come as far as having sockets is ended as well', async () => {
  const worker = new Worker('for (;;);', { eval: true });
  await once(worker, 'online');
  await endHungThread(worker);
  expect(worker.threadId).toBe(-1);
});

it('a thread that does not close its sockets is not ended', async () => {
  const fails = "globalThis[Symbol.for('capstan.abandon')] = () => { throw new Error('open'); };";
  const ready =
    "setInterval(() => {}, 1000); require('worker_threads').parentPort.postMessage('');";
  const worker = new Worker(fails + ready, { eval: true });
  await once(worker, 'message');
  await expect(endHungThread(worker)).rejects.toThrow(/its sockets stay open/);
  expect(worker.threadId).not.toBe(-1);
  await worker.terminate();
});
