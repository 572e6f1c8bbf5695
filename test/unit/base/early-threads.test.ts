import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { builtEarlyThreads, builtFile } from '../../support/built.ts';

const running: Worker[] = [];

afterEach(async () => {
  (await builtEarlyThreads()).endEarlyThreads();
  await Promise.all(running.splice(0).map((worker) => worker.terminate()));
});

/** Code of a thread that says what it was started for; `name` makes it another one's. */
function echo(name: string): URL {
  const code = `
    import { parentPort, threadId } from 'node:worker_threads';
    import { threadStart } from '${builtFile('base/early-threads.js').href}';
    parentPort.postMessage({ start: await threadStart(), threadId }); // ${name}`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

async function startedFor(url: URL, what: string) {
  const { startThread } = await builtEarlyThreads();
  const worker = startThread(url, { workerData: { what }, name: what });
  running.push(worker);
  const [{ start, threadId }] = await once(worker, 'message');
  return { what: start.what as string, threadId: threadId as number };
}

test('a thread that was started early is used first, and hears what it is for', async () => {
  const { startThreadsEarly } = await builtEarlyThreads();
  const [early, other] = [echo('early'), echo('other')];
  startThreadsEarly(early, 1);
  const before = await startedFor(other, 'before');
  const first = await startedFor(early, 'first');
  const second = await startedFor(early, 'second');
  expect([before, first, second].map(({ what }) => what)).toEqual(['before', 'first', 'second']);
  // Threads are numbered as they are started.
  expect(first.threadId).toBeLessThan(before.threadId);
  expect(second.threadId).toBeGreaterThan(before.threadId);
});
