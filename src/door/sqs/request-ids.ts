/* Ids of requests: UUIDs in form, unique, and cheap. A part that is drawn once per thread's life,
 * and a counter. */

import { randomBytes } from 'node:crypto';

const COUNTER_DIGITS = 12;

/** Returns a new id with each call. */
export function requestIds(): () => string {
  const drawn = randomBytes(8).toString('hex');
  const groups = [drawn.slice(0, 8), drawn.slice(8, 12), `4${drawn.slice(12, 15)}`];
  const head = `${groups.join('-')}-8${drawn.slice(13)}-`;
  let count = 0;
  return () => head + (++count).toString(16).padStart(COUNTER_DIGITS, '0');
}
