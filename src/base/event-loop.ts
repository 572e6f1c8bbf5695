/* What a router asks of the event loop that it runs on. A seam: a simulation has a loop of its own,
 * on which time is what it says it is. */

export type Timer = NodeJS.Timeout | number;

export interface EventLoop {
  /** Calls `work` before long, after what is under way now. */
  soon(work: () => void): void;
  after(ms: number, work: () => void): Timer;
  cancel(timer: Timer | undefined): void;
}

export const NODE_EVENT_LOOP: EventLoop = {
  soon: (work) => void setImmediate(work),
  after: (ms, work) => setTimeout(work, ms),
  cancel: (timer) => clearTimeout(timer),
};
