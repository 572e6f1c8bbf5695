/* The server's log, on stderr: lines of JSON for machines, or, where a person looks on, lines to
 * read. Written by the main thread alone. */

import { pino } from 'pino';
import sonicBoom from 'sonic-boom';
import type { Logger } from '../base/logger.ts';
import { LOG_LEVELS, type LogLevel } from './log-levels.ts';

const STDERR = 2;

/** @param readable lines for people */
export function openLog(level: LogLevel, readable: boolean): Logger {
  const output = new sonicBoom.SonicBoom({ fd: STDERR, sync: true });
  // Nobody reads the log any longer: that is no reason to stop serving.
  output.on('error', () => output.destroy());
  return readable ? readableLog(level, output) : jsonLog(level, output);
}

function jsonLog(level: LogLevel, output: sonicBoom.SonicBoom): Logger {
  const options = {
    level,
    base: { pid: process.pid },
    messageKey: 'message',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: errorFields },
  };
  const log = pino(options, output);
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}

function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) };
  return { name, message, ...code, ...cause, stack };
}

const COLOURS: Readonly<Record<string, string>> = {
  debug: '\u001B[2m',
  info: '\u001B[32m',
  warn: '\u001B[33m',
  error: '\u001B[31m',
};
const PLAIN = '\u001B[0m';

function readableLog(level: LogLevel, output: sonicBoom.SonicBoom): Logger {
  const least = LOG_LEVELS.indexOf(level);
  const at = (name: Exclude<LogLevel, 'silent'>) => (fields: object, message: string) => {
    if (LOG_LEVELS.indexOf(name) < least) return;
    const time = new Date().toTimeString().slice(0, 8);
    const colour = COLOURS[name] ?? '';
    const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${readableValue(value)}`);
    output.write(`${time} ${colour}${name.padEnd(5)}${PLAIN} ${message}${rest.join('')}\n`);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function readableValue(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  if (value instanceof Error) return value.stack ?? value.message;
  // A door's thread has taken its errors apart.
  const stack = (value as { stack?: unknown } | null | undefined)?.stack;
  return typeof stack === 'string' ? stack : (JSON.stringify(value) ?? String(value));
}
