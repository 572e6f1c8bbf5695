/* Clients from Debian's packages. Where they are missing, the tests that need them are left out;
 * not so where it is decided whether a change lands (`CI=true`): there they fail. */

import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';

// Not what stands first on PATH: that can be another Python with newer libraries.
export const PYTHON = '/usr/bin/python3';
export const AWS_CLI = '/usr/bin/aws';
export const CLIENTS_DIR = path.resolve(import.meta.dirname, '../conformance/clients');

const isDeciding = process.env['CI'] === 'true';

/** True: run the tests that import these modules of Python. */
export function hasPython(...modules: readonly string[]): boolean {
  return isDeciding || spawnSync(PYTHON, ['-c', `import ${modules.join(', ')}`]).status === 0;
}

/** True: run the tests of the AWS command line. */
export function hasAwsCli(): boolean {
  return isDeciding || spawnSync(AWS_CLI, ['--version']).status === 0;
}

/** Nothing is left beside the scripts. */
export const PYTHON_ENV = { PYTHONDONTWRITEBYTECODE: '1' };

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...PYTHON_ENV, ...env } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
