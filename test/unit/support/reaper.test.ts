import { type ChildProcess, spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { REAPER_SCRIPT } from '../../support/reaper.ts';

function sleeper(): { child: ChildProcess; ended: Promise<NodeJS.Signals | null> } {
  const child = spawn('sleep', ['60']);
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    child.once('exit', (_code, signal) => resolve(signal));
  });
  return { child, ended };
}

test('what was begun and has not ended is killed when the pipe ends', async () => {
  const [left, other] = [sleeper(), sleeper()];
  const reaper = spawn('sh', ['-c', REAPER_SCRIPT], { stdio: ['pipe', 'ignore', 'inherit'] });
  const done = new Promise<void>((resolve) => reaper.once('exit', () => resolve()));
  reaper.stdin.write(`begun ${left.child.pid}\nbegun ${other.child.pid}\n`);
  reaper.stdin.end(`ended ${other.child.pid}\n`);
  expect(await left.ended).toBe('SIGKILL');
  await done;
  expect(other.child.exitCode).toBeNull();
  other.child.kill('SIGTERM');
  expect(await other.ended).toBe('SIGTERM');
});
