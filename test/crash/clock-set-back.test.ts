/* The machine's clock is set back between two lives of a broker; the hand that sets it is the
 * preloaded module below, in a process of its own. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const BACK_MS = 3_600_000;

/** Every thread of the process takes it up: workers load what `NODE_OPTIONS` names too. */
const CLOCK_SET_BACK = `const now = Date.now; Date.now = () => now() - ${BACK_MS};`;

const FIRST_LIFE = `
  const { openBroker } = await import('capstan');
  const broker = await openBroker({ data: process.env.DATA, partitions: 1 });
  await broker.createQueue('q', { visibilityTimeoutMs: 200 });
  await broker.queue('q').send({ body: 'held' });
  await broker.queue('q').send({ body: 'late', delayMs: 200 });
  await broker.queue('q').receive({ waitMs: 5000 });
  await broker.close();`;

const SECOND_LIFE = `
  const { openBroker } = await import('capstan');
  const broker = await openBroker({ data: process.env.DATA });
  const texts = [];
  while (texts.length < 2) {
    const messages = await broker.queue('q').receive({ max: 2, waitMs: 20_000 });
    if (messages.length === 0) break;
    texts.push(...messages.map((message) => message.text()));
    for (const message of messages) await message.delete();
  }
  await broker.close();
  console.log(JSON.stringify(texts.sort()));`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-clock-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function live(script: string, nodeOptions: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { env: { ...process.env, DATA: join(folder, 'data'), NODE_OPTIONS: nodeOptions } },
  );
  return stdout.trim();
}

test('deadlines pass when they should though the clock was set back an hour', async () => {
  const hand = join(folder, 'clock.cjs');
  await writeFile(hand, CLOCK_SET_BACK);
  await live(FIRST_LIFE, '');
  expect(JSON.parse(await live(SECOND_LIFE, `--require ${hand}`))).toEqual(['held', 'late']);
});
