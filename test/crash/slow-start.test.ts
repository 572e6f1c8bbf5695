import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { ROOT } from '../support/built.ts';
import { TestServer } from '../support/server.ts';

it('a thread that is slow to begin is not taken for one that hangs', async () => {
  const preload = pathToFileURL(path.join(ROOT, 'test/torture/slow-start.mjs')).href;
  await using server = await TestServer.start({
    args: ['--partitions', '1', '--doors', '1'],
    nodeArgs: ['--import', preload],
  });
  // What a busy machine may do to it later is another matter.
  const first = () =>
    server.logLines.find(({ message }) => String(message).startsWith('partition'));
  // Its answers and its log come by different ways.
  await expect.poll(first).toMatchObject({ message: 'partition runs' });
});
