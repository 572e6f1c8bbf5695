/* The one clock of a broker. It starts at the wall clock and then follows the machine's monotonic
 * clock, which all threads of the process share: a stepped wall clock can neither end a visibility
 * timeout early nor hold it open. */

/** Milliseconds since the Unix epoch; whole, and never less than an earlier reading. */
export type Clock = () => number;

/** What one thread hands to another so that both read the same time. */
export interface ClockAnchor {
  readonly wallMs: number;
  readonly monotonicNs: bigint;
}

export function anchorClock(): ClockAnchor {
  return { wallMs: Date.now(), monotonicNs: process.hrtime.bigint() };
}

/** A clock on `anchor`. `performance.now()` is used for reading because it allocates nothing;
 *  its origin differs from thread to thread, so it is tied to the anchor once. */
export function steadyClock(anchor: ClockAnchor): Clock {
  const elapsedAtOriginMs = Number(process.hrtime.bigint() - anchor.monotonicNs) / 1e6;
  const offsetMs = anchor.wallMs + elapsedAtOriginMs - performance.now();
  return () => Math.floor(performance.now() + offsetMs);
}
