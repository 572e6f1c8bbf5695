/* What the figures were measured on: they mean nothing without it. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { resolve } from 'node:path';

const GIB = 1024 ** 3;

export interface Machine {
  readonly date: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly capstan: string;
  readonly disk: string;
}

/** File system and device of the mount that holds `directory`. */
function diskOf(directory: string): string {
  if (process.platform !== 'linux') return 'unknown';
  const at = `${resolve(directory)}/`;
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, mount = 'none']) => at.startsWith(mount.endsWith('/') ? mount : `${mount}/`))
    .toSorted((a, b) => b[1]!.length - a[1]!.length);
  const [device = '?', , system = '?'] = mounts[0] ?? [];
  return `${system} on ${device}`;
}

/** The version of the sources, as git tells it; else that of the package. */
function capstanVersion(): string {
  const { version } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.resolve('capstan')), 'utf8'),
  ) as { version: string };
  try {
    const commit = execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return `${version} (${commit.trim()})`;
  } catch {
    return version; // Not a checkout.
  }
}

export function describeMachine(scratch: string): Machine {
  mkdirSync(scratch, { recursive: true });
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGib: Math.round(totalmem() / GIB),
    system: `${type()} ${release()}`,
    node: process.version,
    capstan: capstanVersion(),
    disk: diskOf(scratch),
  };
}

export function machineLine(machine: Machine): string {
  const { date, cores, cpu, memoryGib, system, node, capstan, disk } = machine;
  return (
    `${date}, ${cores} cores (${cpu}), ${memoryGib} GiB, ${system}, ${disk}, ` +
    `Node.js ${node}, Capstan ${capstan}; the load runs on the same cores`
  );
}
