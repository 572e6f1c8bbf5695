/* `capstan log verify|dump`: looks at the logs of a data folder while no server runs on it. */

import type { Command } from 'commander';
import { NODE_STORAGE } from '../log/wal/storage.ts';
import {
  type DumpLine,
  dumpLog,
  type LogFindings,
  logDirectories,
  verifyLog,
} from '../log/wal/verify.ts';
import { type CliContext, CliError } from './command.ts';
import { asCliError, EXIT_FAILED } from './exit-codes.ts';
import { columnsOf, counted, writeJson, writeLines } from './output.ts';
import { Progress } from './progress.ts';
import { type Column, formatTable, oneLine } from './table.ts';
import { formatBytes, formatCount, parseCount } from './units.ts';

const HEAD_BYTES_MAX = 1024 * 1024;
/** Lines of a dump that are written at once. */
const DUMP_LINES_MAX = 1000;

interface OutputOptions {
  readonly json?: boolean;
}

export function logCommand(program: Command, context: CliContext): void {
  const family = program
    .command('log')
    .description('Check or show the log of a data folder, while no server runs on it.');
  verifyCommand(family, context);
  dumpCommand(family, context);
}

// verify

const VERIFY_COLUMNS: readonly Column<LogFindings>[] = [
  { title: 'LOG', cell: ({ directory }) => directory },
  { title: 'SEGMENTS', align: 'right', cell: ({ segments }) => formatCount(segments) },
  { title: 'FRAMES', align: 'right', cell: ({ frames }) => formatCount(frames) },
  { title: 'RECORDS', align: 'right', cell: ({ records }) => formatCount(records) },
  { title: 'SIZE', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'VERDICT', cell: verdictOf },
];

function verdictOf({ damage, remark }: LogFindings): string {
  if (damage !== undefined) return 'DAMAGED';
  return remark === undefined ? 'sound' : 'sound, with a torn tail';
}

function verifyCommand(family: Command, context: CliContext): void {
  family
    .command('verify')
    .description('Read and check every frame; exit with 1 when one is damaged.')
    .argument('<dir>', "a data folder, or one log's directory in it")
    .option('--json', 'JSON for programs: an object per log')
    .action((directory: string, options: OutputOptions) =>
      asCommand(() => verify(context, directory, options)),
    );
}

async function verify(
  context: CliContext,
  directory: string,
  { json }: OutputOptions,
): Promise<void> {
  const findings: LogFindings[] = [];
  const progress = new Progress(context.stderr, 'segments checked');
  try {
    for (const each of logDirectories(directory)) {
      const found = verifyLog(NODE_STORAGE, each, (_file, segment, segments) =>
        progress.set(segment, segments),
      );
      findings.push(found);
      if (json === true) await writeJson(context, found);
    }
  } finally {
    progress.end();
  }
  if (json !== true) await writeLines(context, findingLines(context, findings));
  const damaged = findings.filter(({ damage }) => damage !== undefined);
  if (damaged.length === 0) return;
  throw new CliError(
    `${counted(damaged.length, 'log')} of ${findings.length} damaged. A partition does not start ` +
      'on a damaged log: restore its file from a backup.',
    EXIT_FAILED,
  );
}

function findingLines({ stdout }: CliContext, findings: readonly LogFindings[]): string[] {
  const notes = findings.flatMap(({ damage, remark }) => [
    ...(damage === undefined ? [] : [`${damage.file}, offset ${damage.offset}: ${damage.what}.`]),
    ...(remark === undefined ? [] : [remark]),
  ]);
  return [...formatTable(VERIFY_COLUMNS, findings, columnsOf(stdout)), ...notes];
}

// dump

interface DumpOptions extends OutputOptions {
  readonly bytes: string;
}

function dumpCommand(family: Command, context: CliContext): void {
  family
    .command('dump')
    .description('Write every segment, frame and record, in order.')
    .argument('<dir>', "a data folder, or one log's directory in it")
    .option('--bytes <count>', 'of each record', '32')
    .option('--json', 'JSON for programs: an object per line; bytes in hex')
    .action((directory: string, options: DumpOptions) =>
      asCommand(() => dump(context, directory, options)),
    );
}

async function dump(context: CliContext, directory: string, options: DumpOptions): Promise<void> {
  const headBytes = parseCount(options.bytes, '--bytes', 0, HEAD_BYTES_MAX);
  const format = options.json === true ? jsonLine : textLine;
  for (const each of logDirectories(directory)) {
    // Reading does not wait for whoever reads this: lines are gathered, a segment's at most.
    const pending: string[][] = [[]];
    let remark: string | undefined;
    try {
      remark = dumpLog(NODE_STORAGE, each, headBytes, (line) => {
        if (pending.at(-1)!.length === DUMP_LINES_MAX) pending.push([]);
        pending.at(-1)!.push(format(line));
      });
    } finally {
      for (const lines of pending) await writeLines(context, lines);
    }
    if (remark !== undefined) context.stderr.write(`${remark}\n`);
  }
}

function textLine(line: DumpLine): string {
  if (line.kind === 'segment') return `${line.file}  first frame ${line.firstSequence}`;
  if (line.kind === 'record') {
    return `    position ${line.position}  ${line.bytes} bytes  ${headText(line.head)}`;
  }
  return (
    `  frame ${line.sequence}  offset ${line.offset}  ${line.bytes} bytes  ` +
    `${counted(line.records, 'record')}  durable up to ${line.durableSequence}`
  );
}

function headText(head: Buffer): string {
  const text = head.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '.');
  return `${head.toString('hex')}  ${oneLine(text)}`;
}

function jsonLine(line: DumpLine): string {
  if (line.kind !== 'record') return JSON.stringify(line);
  return JSON.stringify({ ...line, head: line.head.toString('hex') });
}

async function asCommand(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    throw asCliError(error);
  }
}
