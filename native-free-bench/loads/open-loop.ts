/* Open loop: batches are due at a fixed rate, whatever the server does, and every latency counts
 * from when its batch was due, not from when it went out (no coordinated omission). A message is
 *   enqueued  when its acknowledgement arrives,
 *   dequeued  when a consumer that was waiting has it in hand,
 *   deleted   when its deletion is acknowledged (this alone counts from its own call). */

import type { DriverOptions, Receiver, Sender } from '../drivers/driver.ts';
import { Histogram } from '../harness/histogram.ts';
import { Ledger } from '../harness/ledger.ts';

const SETTLE_TIMEOUT_MS = 30_000;

export interface OpenLoopParameters {
  readonly options: DriverOptions;
  readonly messagesPerSecond: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export class OpenLoop {
  readonly ledger = new Ledger();
  readonly enqueue = new Histogram();
  readonly dequeue = new Histogram();
  readonly deletion = new Histogram();
  /** How late the load itself was: what of the latencies is its own. */
  readonly lag = new Histogram();
  readonly #batch: number;
  /** Between one batch that is due and the next. */
  readonly intervalMs: number;
  readonly #free: Sender[];
  readonly #total: number;
  readonly #warm: number;
  readonly #nowMs: () => number;
  #due = 0; // batches sent so far
  #failure: unknown;
  #settled: () => void = () => undefined;

  /** @param nowMs since the first batch was due. */
  constructor(parameters: OpenLoopParameters, senders: Sender[], nowMs: () => number) {
    const { options, messagesPerSecond, warmupSeconds, seconds } = parameters;
    this.#batch = options.batch;
    this.intervalMs = (1000 * options.batch) / messagesPerSecond;
    this.#free = senders;
    this.#nowMs = nowMs;
    this.#warm = Math.round((warmupSeconds * 1000) / this.intervalMs);
    this.#total = this.#warm + Math.round((seconds * 1000) / this.intervalMs);
  }

  get warmMs(): number {
    return this.#warm * this.intervalMs;
  }

  #dueAtMs(batch: number): number {
    return batch * this.intervalMs;
  }

  #record(histogram: Histogram, sequence: number, now: number): void {
    const batch = Math.floor(sequence / this.#batch);
    if (batch >= this.#warm) histogram.recordMs(now - this.#dueAtMs(batch));
  }

  /** Sends what is due, as far as senders are free. */
  pump(): void {
    const now = this.#nowMs();
    while (this.#due < this.#total && this.#dueAtMs(this.#due) <= now) {
      const sender = this.#free.pop();
      if (sender === undefined) return;
      this.#record(this.lag, this.#due * this.#batch, now);
      this.#sendBatch(sender, this.#due++).catch((error: unknown) => this.#fail(error));
    }
  }

  async #sendBatch(sender: Sender, batch: number): Promise<void> {
    const first = batch * this.#batch;
    await sender.send(first, this.#batch);
    this.#record(this.enqueue, first, this.#nowMs());
    this.ledger.sent.addRange(first, this.#batch);
    this.#free.push(sender);
    this.pump();
    this.#settleIfDone();
  }

  async receive(receiver: Receiver, max: number): Promise<void> {
    const { received, deleted } = this.ledger;
    while (!this.#isDone()) {
      const { sequences, receipts } = await receiver.receive(max);
      if (sequences.length === 0) continue;
      const at = this.#nowMs();
      for (const sequence of sequences) this.#record(this.dequeue, sequence, at);
      received.addAll(sequences);
      await receiver.delete(receipts);
      this.deletion.recordMs(this.#nowMs() - at);
      deleted.addAll(sequences);
      this.#settleIfDone();
    }
  }

  #isDone(): boolean {
    const all = this.#total * this.#batch;
    const { sent, deleted } = this.ledger;
    return this.#failure !== undefined || (sent.count >= all && deleted.count >= all);
  }

  #settleIfDone(): void {
    if (this.#isDone()) this.#settled();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#settled();
  }

  /** Resolves once the last message is deleted. */
  async settled(receiving: readonly Promise<void>[]): Promise<void> {
    const lastMs = this.#dueAtMs(this.#total) - this.#nowMs() + SETTLE_TIMEOUT_MS;
    await new Promise<void>((resolve) => {
      const timeout = setTimeout(() => this.#fail(new Error('Messages are missing.')), lastMs);
      this.#settled = () => {
        clearTimeout(timeout);
        resolve();
      };
      Promise.all(receiving).catch((error: unknown) => this.#fail(error));
      this.#settleIfDone();
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  get measuredMessages(): number {
    return (this.#total - this.#warm) * this.#batch;
  }
}
