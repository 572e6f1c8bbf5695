/* Status lines, as they stand in the answer; made once. */

import { STATUS_CODES } from 'node:http';

const LINES = new Map(
  Object.entries(STATUS_CODES).map(([status, text]) => [Number(status), `${status} ${text}`]),
);

export function statusLine(status: number): string {
  return LINES.get(status) ?? String(status);
}

/** An answer with this status has no body, and says no length. */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}
