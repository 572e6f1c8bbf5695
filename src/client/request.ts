/* Requests on their way, and the calls that wait for their answers. One frame may carry several
 * calls of one kind that were made in the same turn; each call ends on its own. */

import { BrokerError } from '../base/errors.ts';
import type { FrameReader } from '../wire/frame-reader.ts';
import type { RequestOptions } from './types.ts';

/** One call of a user: its promise, its deadline, its signal. */
export class Call<T> {
  readonly promise: Promise<T>;
  /** Its place among the entries of its frame. */
  readonly from: number;
  readonly count: number;
  readonly deadlineMs: number;
  settled = false;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(options: RequestOptions, deadlineMs: number, from: number, count: number) {
    this.from = from;
    this.count = count;
    this.deadlineMs = deadlineMs;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#signal = options.signal;
    if (options.signal !== undefined) this.#watch(options.signal);
  }

  #watch(signal: AbortSignal): void {
    this.#onAbort = () => this.onAborted(signal.reason);
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** What an abort does; by default, the call is given up. */
  onAborted: (reason: unknown) => void = (reason) => this.reject(reason);

  resolve(value: T): void {
    if (this.#end()) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#end()) this.#reject(error);
  }

  #end(): boolean {
    if (this.settled) return false;
    this.settled = true;
    if (this.#onAbort !== undefined) this.#signal!.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

/** A frame that is to be answered. It is kept as it was written until then, and written again on
 *  every new connection. */
export abstract class ClientRequest {
  correlation = 0;
  /** Among the requests of its connection. */
  order = 0;
  /** It was written to a socket, be it an earlier one. */
  sent = false;
  /** The whole frame, once it is sealed. */
  frame: Uint8Array<ArrayBuffer> = NO_FRAME;
  /** What it counts for among the bytes that are not answered. */
  admittedBytes = 0;
  /** Carrying it out a second time could do harm: it is not sent again. */
  readonly once: boolean = false;

  /** Reads what follows the correlation of its answer. */
  abstract onAnswer(kind: number, reader: FrameReader): void;
  abstract onFailure(error: BrokerError): void;
  /** Its answer has been read; the frame is needed no longer, and has left the socket. */
  onAnswered(): void {}
  /** Ends the calls whose deadlines are before `now`; true when none is left that waits. */
  abstract expire(now: number): boolean;
}

const NO_FRAME = new Uint8Array(0);

export function timedOut(): BrokerError {
  return new BrokerError('CAPSTAN_TIMEOUT', 'No answer came in time.');
}

/** Ends the calls that are over; true when none is left. */
export function expireCalls<T>(calls: readonly Call<T>[], now: number): boolean {
  let left = 0;
  for (const call of calls) {
    if (!call.settled && call.deadlineMs <= now) call.reject(timedOut());
    if (!call.settled) left++;
  }
  return left === 0;
}
