/* How far long work is, on standard error; silent where that is no terminal. */

import type { Output } from './command.ts';
import { formatCount, formatDurationMs } from './units.ts';

/** Fast enough for eyes. */
const REDRAW_MS = 100;
const BAR_COLUMNS = 24;
const CLEAR_LINE = '\r\u001b[2K';

export class Progress {
  readonly #stream: Output;
  readonly #what: string;
  readonly #startedAtMs: number;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #done = 0;
  #total: number | undefined;

  /** @param what in the past tense, as in "1 200 sent".
   *  @param total undefined where nobody knows it. */
  constructor(stream: Output, what: string, total?: number) {
    this.#stream = stream;
    this.#what = what;
    this.#total = total;
    this.#startedAtMs = performance.now();
  }

  get done(): number {
    return this.#done;
  }

  set(done: number, total = this.#total): void {
    this.#done = done;
    this.#total = total;
    const now = performance.now();
    if (this.#stream.isTTY !== true || now - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = now;
    const line = progressLine(this.#what, done, total, now - this.#startedAtMs);
    this.#stream.write(CLEAR_LINE + line.slice(0, (this.#stream.columns ?? 80) - 1));
  }

  add(count: number): void {
    this.set(this.#done + count);
  }

  /** Takes the line away. Idempotent. */
  end(): void {
    if (this.#drawnAtMs === Number.NEGATIVE_INFINITY) return;
    this.#drawnAtMs = Number.NEGATIVE_INFINITY;
    this.#stream.write(CLEAR_LINE);
  }
}

export function progressLine(
  what: string,
  done: number,
  total: number | undefined,
  elapsedMs: number,
): string {
  const rate = elapsedMs > 0 ? (done * 1000) / elapsedMs : 0;
  const speed = `${formatCount(rate)}/s`;
  if (total === undefined || total === 0) return `${formatCount(done)} ${what}, ${speed}`;
  const share = Math.min(1, done / total);
  const full = Math.round(share * BAR_COLUMNS);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_COLUMNS - full);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const left =
    rate > 0 && done < total ? `, ${formatDurationMs(((total - done) * 1000) / rate)} left` : '';
  return `${bar}${percent}  ${formatCount(done)} of ${formatCount(total)} ${what}, ${speed}${left}`;
}
