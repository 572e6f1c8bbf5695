/* Programs that tests run as processes of their own: Node cannot run TypeScript, so those under
 * test/torture are compiled into a folder that goes with the test file that asked for them. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll } from 'vitest';
import { ROOT } from './built.ts';
import { reap } from './reaper.ts';

let compiled: string | undefined;
afterAll(() => {
  if (compiled !== undefined) rmSync(compiled, { recursive: true, force: true });
});

/** The folder that has what `test/torture` compiles to, laid out as in the repository. */
function compile(): string {
  if (compiled !== undefined) return compiled;
  // Under the repository: there the compiled files find its packages, and the package itself.
  const parent = path.join(ROOT, 'test/torture/.build');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(path.join(parent, 'programs-'));
  const project = path.join(ROOT, 'test/torture/tsconfig.json');
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', project, '--outDir', folder], { stdio: 'inherit' });
  compiled = folder;
  return folder;
}

/** Programs that run; none outlives the process that started it. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Program {
  readonly child: ChildProcess;
  /** Resolves with the signal that ended it, or its exit code. */
  readonly ended: Promise<NodeJS.Signals | number>;
}

/** Starts `test/torture/<name>.ts` with `options` as its only argument, as JSON. It may send
 *  messages to this process. */
export function startProgram(name: string, options: object): Program {
  const file = path.join(compile(), 'test/torture', `${name}.js`);
  const child = spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  running.add(child);
  reap(child);
  const ended = new Promise<NodeJS.Signals | number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      running.delete(child);
      resolve(signal ?? code ?? 0);
    });
  });
  return { child, ended };
}

/** Resolves with the first message of a program; rejects when it ends without one. */
export function firstMessage({ child, ended }: Program): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    void ended.then((how) => reject(new Error(`the program ended (${how}) before it began`)));
  });
}
