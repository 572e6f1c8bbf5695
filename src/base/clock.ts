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

/** One sample would do, if nothing ever came between its two readings. */
const SAMPLES = 16;

/** A clock on `anchor`. `performance.now()` is used for reading because it allocates nothing;
 *  its origin differs from thread to thread, so it is tied to the anchor once. A thread that is
 *  interrupted between two readings would be late for good, and a partition that is restarted
 *  would end the visibility timeouts of its predecessor early: the tightest sample counts. */
export function steadyClock(anchor: ClockAnchor): Clock {
  let offsetMs = 0;
  let tightestMs = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const before = performance.now();
    const elapsedMs = Number(process.hrtime.bigint() - anchor.monotonicNs) / 1e6;
    const after = performance.now();
    if (after - before >= tightestMs) continue;
    tightestMs = after - before;
    offsetMs = anchor.wallMs + elapsedMs - (before + after) / 2;
  }
  return () => Math.floor(performance.now() + offsetMs);
}
