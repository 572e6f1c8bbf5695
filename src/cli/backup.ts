/* `capstan backup`: a consistent copy of a data folder, also while a server runs on it. */

import { type Command, Option } from 'commander';
import { backupFolder } from '../log/wal/backup.ts';
import { verifyFolder } from '../log/wal/verify.ts';
import { type CliContext, CliError } from './command.ts';
import { asCliError, EXIT_FAILED } from './exit-codes.ts';
import { counted, writeJson, writeLines } from './output.ts';
import { Progress } from './progress.ts';
import { formatBytes } from './units.ts';

interface BackupOptions {
  readonly data: string;
  readonly json?: boolean;
}

export function backupCommand(program: Command, context: CliContext): void {
  program
    .command('backup')
    .description('Copy a data folder, also while its server runs; the copy starts as a server.')
    .argument('<dir>', 'where to; made if it does not exist')
    .addOption(new Option('--data <dir>', 'the data folder').env('CAPSTAN_DATA').default('./data'))
    .option('--json', 'JSON for programs')
    .action(async (target: string, options: BackupOptions) => {
      try {
        await backup(context, target, options);
      } catch (error) {
        throw asCliError(error);
      }
    });
}

async function backup(
  context: CliContext,
  target: string,
  { data, json }: BackupOptions,
): Promise<void> {
  const progress = new Progress(context.stderr, 'segments copied');
  let report: ReturnType<typeof backupFolder>;
  try {
    report = backupFolder(data, target, (_file, segments) => progress.set(segments));
    // What is read back is what was written.
    const damage = verifyFolder(target).find((log) => log.damage !== undefined)?.damage;
    if (damage !== undefined) {
      const { file, offset, what } = damage;
      throw new CliError(`The copy is damaged: ${file}, offset ${offset}: ${what}.`, EXIT_FAILED);
    }
  } finally {
    progress.end();
  }
  if (json === true) {
    await writeJson(context, { ...report, target });
    return;
  }
  const { logs, segments, bytes } = report;
  await writeLines(context, [
    `${counted(logs, 'log')}, ${counted(segments, 'segment')}, ${formatBytes(bytes)}: copied to ` +
      `${target}, and read back.`,
    `capstan serve --data ${target} starts a server on it.`,
  ]);
}
