/* Starts the bare server, as a process of its own. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildServer, freePort } from './child-server.ts';

const READY_TIMEOUT_MS = 10_000;

export interface Hello {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startHello(scratch: string): Promise<Hello> {
  mkdirSync(scratch, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = new ChildServer({
    command: process.execPath,
    arguments: [fileURLToPath(new URL('./hello-server.js', import.meta.url)), String(port)],
    directory: scratch,
    logFile: join(scratch, 'hello.log'),
  });
  const answers = () =>
    fetch(url, { method: 'POST', body: 'hello' }).then(
      ({ ok }) => ok,
      () => false,
    );
  await child.ready(answers, READY_TIMEOUT_MS);
  return { url, pid: child.pid, stop: () => child.kill() };
}
