/* Runs what README.md tells newcomers to type: the server by the command behind `npm start`, each
 * shell block as it stands, each JavaScript block as a program of its own against the built
 * package. Only the port is another one, so that a server that runs already is left alone. */

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../src/base/errors.ts';
import { COMMANDS } from '../src/cli/commands.ts';
import { runCommand } from './support/command-line.ts';
import { TestServer } from './support/server.ts';
import { ROOT, read } from './support/source-tree.ts';

const run = promisify(execFile);
const README = read('README.md');
const PORT = /\b9324\b/g;

interface Block {
  readonly language: string;
  readonly heading: string;
  readonly code: string;
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let heading = '';
  const parts = markdown.matchAll(
    /^#+ (?<heading>.*)$|^```(?<language>\w*)\n(?<code>[\s\S]*?)^```/gm,
  );
  for (const { groups } of parts) {
    if (groups?.['heading'] !== undefined) ({ heading } = groups as { heading: string });
    else blocks.push({ language: groups!['language']!, heading, code: groups!['code']! });
  }
  return blocks;
}

const BLOCKS = blocksOf(README);

function blockUnder(heading: string, language: string): string {
  const found = BLOCKS.filter((block) => block.heading === heading && block.language === language);
  expect(found, `the ${language} block under "${heading}"`).toHaveLength(1);
  return found[0]!.code;
}

let server: TestServer;
let directory: string;

beforeAll(async () => {
  server = await TestServer.start();
  directory = mkdtempSync(path.join(tmpdir(), 'capstan-readme-'));
  // As after `npm install` in a project of one's own.
  mkdirSync(path.join(directory, 'node_modules', '@aws-sdk'), { recursive: true });
  symlinkSync(ROOT, path.join(directory, 'node_modules', 'capstan'));
  const sdk = path.join('node_modules', '@aws-sdk', 'client-sqs');
  symlinkSync(path.join(ROOT, sdk), path.join(directory, sdk));
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

async function shell(code: string): Promise<string> {
  const script = `set -euo pipefail\n${code.replaceAll(PORT, String(server.port))}`;
  const env = {
    ...process.env,
    CAPSTAN_URL: server.url,
    AWS_PAGER: '',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const { stdout } = await run('bash', ['-c', script], { cwd: ROOT, env });
  return stdout;
}

async function javascript(code: string): Promise<string> {
  const file = path.join(directory, 'block.mjs');
  writeFileSync(file, code.replaceAll(PORT, String(server.port)));
  const { stdout } = await run(process.execPath, [file], { cwd: directory });
  return stdout;
}

function hasProgram(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    // It is not installed, or does not run.
    return false;
  }
}

describe('the README', () => {
  it('starts the server by one line, which is what the tests start', () => {
    expect(BLOCKS.filter(({ code }) => code === 'npm ci && npm start\n')).toHaveLength(1);
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(scripts['start']).toBe('node dist/bundle/main.js serve');
    expect(scripts['prestart']).toMatch(/npm run (--silent )?build/);
  });

  it('tests by one line', () => {
    expect(BLOCKS.filter(({ code }) => code === 'npm ci && npm test\n')).toHaveLength(1);
  });

  it('has no block that is not run, but for those', () => {
    const kinds = BLOCKS.map(({ language, heading }) => `${language}: ${heading}`);
    expect(kinds).toEqual([
      'sh: Start',
      'sh: Start',
      'sh: curl',
      'sh: The command line',
      'sh: The AWS CLI',
      'js: The AWS SDK',
      "js: Capstan's own client",
      'js: Embedded',
      'text: Command line',
    ]);
  });

  it('sends and receives by curl', async () => {
    const output = await shell(blockUnder('curl', 'sh'));
    expect(output).toMatch(/"body":"hello, world"/);
    expect(output).toMatch(/"receiptHandle":"/);
  });

  it('sends and receives by the command line', async () => {
    const output = await shell(blockUnder('The command line', 'sh'));
    expect(output).toMatch(/^jobs +standard +2 /m);
    expect(output).toMatch(/^(first\nsecond|second\nfirst)$/m);
  });

  it.runIf(hasProgram('aws'))('sends and receives by the AWS CLI', async () => {
    const output = await shell(blockUnder('The AWS CLI', 'sh'));
    expect(output).toMatch(/"Body": "hello"/);
  });

  it('sends and receives by the AWS SDK', async () => {
    expect(await javascript(blockUnder('The AWS SDK', 'js'))).toBe('hello\n');
  });

  it("sends and consumes by Capstan's own client", async () => {
    const output = await javascript(blockUnder("Capstan's own client", 'js'));
    expect(output.split('\n').toSorted()).toEqual([
      '',
      '\u0001\u0002\u0003 1',
      'hello 1',
      'text 1',
    ]);
  });

  it('embeds a broker', async () => {
    expect(await javascript(blockUnder('Embedded', 'js'))).toBe('cat.jpg\n');
  });

  it('names every option of the server, with its variable', async () => {
    const { out } = await runCommand(['serve', '--help'], { columns: 400 });
    const options = [
      ...out.matchAll(/^ +(?:-\w, )?(--[a-z-]+).*?(?:env: (CAPSTAN_[A-Z_]+))?\)?$/gm),
    ];
    const named = options.filter(([, flag]) => flag !== '--help');
    expect(named.length).toBeGreaterThan(5);
    for (const [, flag, variable] of named) {
      const row = README.split('\n').find((line) => line.startsWith(`| \`${flag}\` `));
      expect(row, flag).toBeDefined();
      if (variable !== undefined) expect(row).toContain(`\`${variable}\``);
    }
  });

  it('names every subcommand', async () => {
    const { out } = await runCommand(['--help']);
    const commands = [...out.matchAll(/^ {2}([a-z]+) (?=\[|<| )/gm)].map(([, name]) => name!);
    expect(commands.length).toBeGreaterThanOrEqual(COMMANDS.length);
    const text = blockUnder('Command line', 'text');
    expect(commands.filter((name) => !text.includes(`capstan ${name}`))).toEqual([]);
  });

  it('names no error that there is none of', () => {
    const named = README.match(/CAPSTAN_[A-Z_]+/g) ?? [];
    const variables = new Set(README.match(/(?<=^\| `--[a-z-]+` \| `)CAPSTAN_[A-Z_]+/gm));
    const unknown = named.filter((name) => !(name in ERRORS) && !variables.has(name));
    // Those of tests and benchmarks are variables too.
    const others = /^CAPSTAN_(URL$|TEST_|BENCH_)/;
    expect(unknown.filter((name) => !others.test(name))).toEqual([]);
  });
});
