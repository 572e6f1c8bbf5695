/* The log of a thread that has none of its own: each line is handed to the main thread, which alone
 * writes. Errors are taken apart first, because a clone of one loses its code. */

import type { Logger } from '../base/logger.ts';
import type { LogLevel } from './door-thread.ts';

export type PostLine = (level: LogLevel, fields: object, message: string) => void;

export function threadLogger(post: PostLine): Logger {
  const at = (level: LogLevel) => (fields: object, message: string) => {
    post(level, plainFields(fields), message);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function plainFields(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, plain(value as unknown)]),
  );
}

function plain(value: unknown): unknown {
  if (value instanceof Error) {
    const { name, message, stack } = value;
    const code = 'code' in value ? { code: String(value.code) } : {};
    const cause = value.cause === undefined ? {} : { cause: plain(value.cause) };
    return { name, message, ...code, ...cause, stack };
  }
  if (typeof value === 'function' || typeof value === 'symbol') return String(value);
  return value;
}
