/* A Celery worker on kombu's SQS transport: a thousand tasks, the server killed meanwhile. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CLIENTS_DIR, hasPython, PYTHON, PYTHON_ENV, run } from '../support/debian-clients.ts';
import { TestServer } from '../support/server.ts';

const TASKS = 1000;
const PATIENCE_MS = 120_000;
const LOOK_MS = 50;

test.runIf(hasPython('celery', 'kombu', 'boto3', 'pycurl'))(
  'a Celery worker runs a thousand tasks, with the server killed in the middle',
  async () => {
    await using server = await TestServer.start();
    const folder = mkdtempSync(path.join(tmpdir(), 'capstan-celery-'));
    const doneFile = path.join(folder, 'done');
    writeFileSync(doneFile, '');
    const env = { CAPSTAN_PORT: String(server.port), DONE_FILE: doneFile, PYTHONPATH: CLIENTS_DIR };
    const script = path.join(CLIENTS_DIR, 'celery_tasks.py');
    const produce = async (first: number, last: number) => {
      const ended = await run(PYTHON, [script, String(first), String(last)], env);
      expect(ended.code, ended.stderr).toBe(0);
    };
    await produce(0, TASKS / 2);
    const worker = startWorker(env);
    try {
      await doneTasks(doneFile, TASKS / 4, worker);
      await server.restart();
      await produce(TASKS / 2, TASKS);
      await doneTasks(doneFile, (TASKS * 3) / 4, worker);
      await server.restart();
      const done = await doneTasks(doneFile, TASKS, worker);
      expect(done).toEqual(new Set(Array.from({ length: TASKS }, (_, i) => i)));
    } finally {
      await worker.end();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  PATIENCE_MS,
);

/** Resolves once `count` different tasks are done. */
async function doneTasks(
  doneFile: string,
  count: number,
  worker: { readonly ended: string | undefined },
): Promise<Set<number>> {
  for (;;) {
    const lines = readFileSync(doneFile, 'ascii').split('\n').slice(0, -1);
    const done = new Set(lines.map(Number));
    if (done.size >= count) return done;
    if (worker.ended !== undefined) throw new Error(`the worker ended: ${worker.ended}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function startWorker(env: Readonly<Record<string, string>>) {
  const options = ['--pool', 'solo', '--loglevel', 'WARNING', '--without-gossip'];
  const args = ['-m', 'celery', '-A', 'celery_tasks', 'worker', '--without-mingle', ...options];
  const child = spawn(PYTHON, args, { env: { ...process.env, ...PYTHON_ENV, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  let ended: string | undefined;
  const closed = new Promise<void>((resolve) => {
    child.once('close', (code) => {
      ended = `code ${code}: ${output}`;
      resolve();
    });
  });
  return {
    get ended() {
      return ended;
    },
    async end() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
