#!/usr/bin/env node
/* The command's entry; the only reader of argv, the environment and signals. */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { type CliContext, CliError } from './cli/command.ts';
import { COMMANDS } from './cli/commands.ts';
import { asCliError, EXIT_DEFECT, EXIT_USAGE } from './cli/exit-codes.ts';
import { HELP_AFTER } from './cli/help.ts';

function readVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function onStopSignal(listener: (signal: NodeJS.Signals) => void): () => void {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}

/** What the process exits with after `error`; says on stderr what went wrong. */
function report(error: unknown): number {
  // It has said it already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  const shown = asCliError(error);
  if (shown instanceof CliError) {
    process.stderr.write(`capstan: ${shown.message}\n`);
    return shown.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`capstan: this is a defect in Capstan: ${text}\n`);
  return EXIT_DEFECT;
}

async function main(): Promise<void> {
  const context: CliContext = {
    version: readVersion(),
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    setExitCode: (code) => {
      process.exitCode = code;
    },
    onStopSignal,
  };
  const program = new Command('capstan')
    .description('A durable message queue that speaks SQS, WebSocket and plain HTTP.')
    .version(context.version, '-V, --version')
    .helpCommand(false)
    .showHelpAfterError('Run with --help to see what it takes.')
    .addHelpText('after', HELP_AFTER)
    .exitOverride();
  for (const add of COMMANDS) add(program, context);
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

await main();
