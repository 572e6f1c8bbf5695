/* What the command's exit code says. Part of the interface: codes may be added, never changed. */

import { BrokerError, type ErrorCode } from '../base/errors.ts';
import { CliError } from './command.ts';

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_UNREACHABLE = 3;
export const EXIT_NOT_FOUND = 4;
export const EXIT_RETRY = 5;
export const EXIT_DEFECT = 70;

export const EXIT_CODES_HELP = `Exit codes:
  0   it is done
  1   it failed, and would fail again; or a log that was checked is damaged
  2   the command line is wrong, or a name or number in it
  3   no server answers at the address
  4   the queue, message or redrive does not exist
  5   it failed for now: the server is busy, restarting, or out of disk space
  70  a defect in Capstan`;

const NOT_FOUND: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CAPSTAN_QUEUE_DOES_NOT_EXIST',
  'CAPSTAN_RECEIPT_HANDLE_INVALID',
  'CAPSTAN_RESOURCE_NOT_FOUND',
]);

/** The exit code for a failure of this kind. */
export function exitCodeOf(code: ErrorCode, retryable: boolean): number {
  if (code === 'CAPSTAN_INVALID_ARGUMENT') return EXIT_USAGE;
  if (NOT_FOUND.has(code)) return EXIT_NOT_FOUND;
  return retryable ? EXIT_RETRY : EXIT_FAILED;
}

/** An operating error as the command line ends with it; anything else is left as it is. */
export function asCliError(error: unknown): unknown {
  // It has been said already, in words of its own.
  if (error instanceof CliError) return error;
  const refused = [error, error instanceof Error ? error.cause : undefined].find(isRefusedPath);
  if (refused !== undefined) {
    const advice = 'Name another folder, or give this user the right to that one.';
    return new CliError(`${refused.message}. ${advice}`, EXIT_FAILED, { cause: error });
  }
  if (!(error instanceof BrokerError)) return error;
  const { code, detail, message, retryable } = error;
  const exitCode = exitCodeOf(code, retryable);
  // What is wrong with an argument says what to do about it.
  const text = exitCode === EXIT_USAGE ? detail : `${message} (${code})`;
  return new CliError(text, exitCode, { cause: error });
}

/** What the system says of a folder or file that the command line named. */
const PATH_REFUSALS: ReadonlySet<unknown> = new Set([
  'EACCES',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'EPERM',
  'EROFS',
]);

function isRefusedPath(error: unknown): error is Error {
  return (
    error instanceof Error && 'path' in error && 'code' in error && PATH_REFUSALS.has(error.code)
  );
}

/** For something that the person who typed it can correct. */
export function usageError(message: string): CliError {
  return new CliError(message, EXIT_USAGE);
}
