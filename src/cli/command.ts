/* What a subcommand is, and what it may touch: the world outside is handed in, so that a test can
 * hand in another. Only src/main.ts reads the process. */

import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';

/** A stream to write to; whether people read it decides on tables, colours and progress bars. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface CliContext {
  readonly version: string;
  /** For the `CAPSTAN_*` variables: each option that has one names it with `Option.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** What the process will exit with when the command returns; 0 unless it is called. */
  setExitCode(code: number): void;
  /** Calls `listener` at each SIGINT and SIGTERM instead of ending the process; the returned
   *  function takes that back. */
  onStopSignal(listener: (signal: NodeJS.Signals) => void): () => void;
  /** Calls `listener` with each exception that nobody caught instead of ending the process; the
   *  returned function takes that back. */
  onDefect(listener: (error: unknown) => void): () => void;
}

/** Adds one subcommand to the program. Its action may reject: a `CliError` or `BrokerError` is
 *  shown as one line, anything else as the defect that it is. */
export type Subcommand = (program: Command, context: CliContext) => void;

/** What a person did wrong or can repair: shown as its message alone, without a stack. */
export class CliError extends Error {
  override name = 'CliError';
  readonly exitCode: number;

  /** @param message what is wrong, and what to do. */
  constructor(message: string, exitCode = 1, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
