/* A door's thread that loops for ever, in the middle of a request and with sockets open: it is
 * noticed, ended and started anew, in a process that goes on. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { ROOT } from '../support/built.ts';
import { TestServer } from '../support/server.ts';

/** Only a server that will never answer takes so long. */
const PATIENCE_MS = 40_000;
const MESSAGES = 50;

it('a door that hangs is started anew, and nothing acknowledged is lost', {
  timeout: 2 * PATIENCE_MS,
}, async () => {
  const preload = pathToFileURL(path.join(ROOT, 'test/torture/thread-faults.mjs')).href;
  await using server = await TestServer.start({
    args: ['--partitions', '2', '--doors', '1'],
    nodeArgs: ['--import', preload],
    env: { CAPSTAN_TORTURE_FAULTS: 'door hangs' },
  });
  const { pid } = server;
  const queue = `${server.url}/v1/queues/orders`;
  const ask = async (url: string, init: RequestInit = {}): Promise<unknown> => {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    expect(answer.ok).toBe(true);
    return answer.json();
  };
  await ask(queue, { method: 'PUT' });
  const acknowledged = new Set<string>();
  const send = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const answer = await ask(`${queue}/messages`, { method: 'POST', body: `${i}` });
      acknowledged.add((answer as { messageId: string }).messageId);
    }
  };
  await send(MESSAGES);
  // It waits while the door hangs: its connection is one of those that are reset.
  const empty = `${server.url}/v1/queues/empty`;
  await ask(empty, { method: 'PUT' });
  const waiting = ask(`${empty}/receive?waitMs=20000`, { method: 'POST' });
  const reset = {
    cause: { code: expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/) as string },
  };
  const waited = expect(waiting).rejects.toMatchObject(reset);

  server.signal('SIGUSR2');
  await expect(send(Number.POSITIVE_INFINITY)).rejects.toMatchObject(reset);
  await waited;
  while (!(await isAnswered(server.url))) await sleep(10);
  await send(MESSAGES);

  expect(server.pid).toBe(pid);
  const said = server.logLines.map(({ message }) => message);
  expect(said).toContain('no heartbeat: a door thread hangs');
  expect(said).toContain('a door thread ended; it is started anew');
  const received = new Set<string>();
  while ([...acknowledged].some((id) => !received.has(id))) {
    const url = `${queue}/receive?max=100&waitMs=0`;
    const { messages } = (await ask(url, { method: 'POST' })) as {
      messages: { messageId: string }[];
    };
    for (const { messageId } of messages) received.add(messageId);
    if (messages.length === 0) break;
  }
  expect([...acknowledged].filter((id) => !received.has(id))).toEqual([]);
});

async function isAnswered(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/healthz`).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok === true;
}
