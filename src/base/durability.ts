/* What an acknowledgement promises about the disk. One setting for a whole broker; shown by
 * `/healthz` and at the start, and every benchmark names it. */

import { BrokerError } from './errors.ts';

export type Durability =
  /** On disk before it is acknowledged. */
  | { readonly mode: 'fsync' }
  /** With the operating system at once, on disk within `intervalMs`. */
  | { readonly mode: 'interval'; readonly intervalMs: number }
  /** With the operating system at once, on disk when that sees fit. */
  | { readonly mode: 'none' };

/** A longer interval than this is a loss that nobody means to allow. */
export const SYNC_INTERVAL_MS_MAX = 60_000;

/** Reads `fsync`, `interval:<ms>` or `none`. Throws `CAPSTAN_INVALID_ARGUMENT` on anything else. */
export function parseDurability(text: string): Durability {
  if (text === 'fsync' || text === 'none') return { mode: text };
  const digits = /^interval:(\d{1,6})$/.exec(text)?.[1];
  const intervalMs = Number(digits);
  if (digits === undefined || intervalMs < 1 || intervalMs > SYNC_INTERVAL_MS_MAX) {
    throw new BrokerError(
      'CAPSTAN_INVALID_ARGUMENT',
      `The durability ${JSON.stringify(text)} is none of "fsync", "interval:<ms>" with 1 to ` +
        `${SYNC_INTERVAL_MS_MAX} ms, and "none".`,
    );
  }
  return { mode: 'interval', intervalMs };
}

/** The text that `parseDurability` reads. */
export function formatDurability(durability: Durability): string {
  return durability.mode === 'interval' ? `interval:${durability.intervalMs}` : durability.mode;
}
