/* Times, sizes and counts as people write and read them. Pure. */

import { usageError } from './exit-codes.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
};

/** Milliseconds of `250ms`, `30s`, `5m`, `1.5h`, `4d`, or `1h30m`; a bare number is of seconds, as
 *  everywhere in SQS. Throws a usage error. */
export function parseDurationMs(text: string, what: string): number {
  const bare = /^\d+(?:\.\d+)?$/.test(text);
  const parts = bare ? [[text, text, 's']] : [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  const length = bare ? text.length : parts.reduce((sum, [part]) => sum + part!.length, 0);
  if (parts.length === 0 || length !== text.length) {
    throw usageError(`${what} is "${text}", which is no time: write 30s, 5m, 1h30m or 250ms.`);
  }
  return Math.round(
    parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit!]!, 0),
  );
}

/** A whole number from `min` to `max`. Throws a usage error. */
export function parseCount(text: string, what: string, min: number, max: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= min && count <= max) return count;
  throw usageError(`${what} is "${text}"; it must be a whole number from ${min} to ${max}.`);
}

/** The two largest units: `4d`, `1h 30m`, `12s`, `250ms`. */
export function formatDurationMs(ms: number): string {
  if (ms < SECOND_MS) return ms === 0 ? '0s' : `${Math.round(ms)}ms`;
  const parts: string[] = [];
  let rest = Math.floor(ms / SECOND_MS) * SECOND_MS;
  for (const unit of ['d', 'h', 'm', 's']) {
    const unitMs = UNITS_MS[unit]!;
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

/** With a space between groups of three digits. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
