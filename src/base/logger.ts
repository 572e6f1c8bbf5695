/* What every part logs through; the command line hands in one that writes JSON lines, tests and the
 * embedded broker hand in their own. */

/** One structured line: `fields` are for machines, `message` is for people. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

function discard(): void {}

/** For a host program that wants no log. */
export const SILENT_LOGGER: Logger = {
  debug: discard,
  info: discard,
  warn: discard,
  error: discard,
};
