/* The command line as a whole: its subcommands, and what an error is shown as. */

import { Command, CommanderError } from 'commander';
import { type CliContext, CliError, type Output } from './command.ts';
import { COMMANDS, type NamedSubcommand } from './commands.ts';
import { asCliError, EXIT_DEFECT, EXIT_USAGE } from './exit-codes.ts';
import { HELP_AFTER } from './help.ts';
import { columnsOf } from './output.ts';

const HELP_COLUMNS_MAX = 100;

/** Runs what `argv` (with the two words before the arguments) asks for. Never rejects. */
export async function runProgram(argv: readonly string[], context: CliContext): Promise<void> {
  const program = new Command('capstan')
    .description('A durable message queue that speaks SQS, WebSocket and plain HTTP.')
    .version(context.version, '-V, --version')
    .helpCommand(false)
    .showHelpAfterError('Run with --help to see what it takes.')
    .addHelpText('after', HELP_AFTER)
    .exitOverride()
    // Subcommands take these settings over when they are added.
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      getOutHelpWidth: () => helpColumns(context.stdout),
      getErrHelpWidth: () => helpColumns(context.stderr),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const { load } of wanted(argv)) (await load())(program, context);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    context.setExitCode(report(error, context));
  }
}

/** The subcommand that is named first; all of them where help or advice may be needed. */
function wanted([, , first]: readonly string[]): readonly NamedSubcommand[] {
  const named = COMMANDS.filter(({ name }) => name === first);
  return named.length > 0 ? named : COMMANDS;
}

/** Lines that are easy to read, and fit the terminal. */
function helpColumns(stream: Output): number {
  return Math.min(HELP_COLUMNS_MAX, columnsOf(stream));
}

/** Says on stderr what went wrong. Returns what the process exits with. */
function report(error: unknown, { stderr }: CliContext): number {
  // It has said it already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  const shown = asCliError(error);
  if (shown instanceof CliError) {
    stderr.write(`capstan: ${shown.message}\n`);
    return shown.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stderr.write(`capstan: this is a defect in Capstan: ${text}\n`);
  return EXIT_DEFECT;
}
