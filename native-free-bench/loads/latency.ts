/* Open loop: batches are due at a fixed rate, whatever the server does, and every latency counts
 * from when its batch was due, not from when it went out (no coordinated omission). A message is
 *   enqueued  when its acknowledgement arrives,
 *   dequeued  when a consumer that was waiting has it in hand,
 *   deleted   when its deletion is acknowledged (this alone counts from its own call). */

import type { Driver, DriverOptions, Receiver, Sender } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import { Histogram } from '../harness/histogram.ts';
import { Ledger } from '../harness/ledger.ts';
import type { Load } from '../harness/load-contract.ts';
import { startTicker } from '../harness/ticker.ts';

const TICK_MS_MIN = 0.2; // at higher rates several batches are due at a tick
const SETTLE_TIMEOUT_MS = 30_000;

export interface LatencyParameters {
  readonly driver: DriverName;
  readonly options: DriverOptions;
  readonly messagesPerSecond: number;
  /** Senders that batches are given to as they are free; a batch that finds none waits. */
  readonly senders: number;
  readonly receivers: number;
  readonly receiveMax: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

class OpenLoop {
  readonly ledger = new Ledger();
  readonly enqueue = new Histogram();
  readonly dequeue = new Histogram();
  readonly deletion = new Histogram();
  /** How late the load itself was: what of the latencies is its own. */
  readonly lag = new Histogram();
  readonly #batch: number;
  readonly #intervalMs: number;
  readonly #free: Sender[];
  readonly #total: number;
  readonly #warm: number;
  #startMs = 0;
  #due = 0; // batches sent so far
  #failure: unknown;
  #settled: () => void = () => undefined;

  constructor(parameters: LatencyParameters, senders: Sender[]) {
    const { options, messagesPerSecond, warmupSeconds, seconds } = parameters;
    this.#batch = options.batch;
    this.#intervalMs = (1000 * options.batch) / messagesPerSecond;
    this.#free = senders;
    this.#warm = Math.round((warmupSeconds * 1000) / this.#intervalMs);
    this.#total = this.#warm + Math.round((seconds * 1000) / this.#intervalMs);
  }

  get warmMs(): number {
    return this.#warm * this.#intervalMs;
  }

  #dueAtMs(batch: number): number {
    return this.#startMs + batch * this.#intervalMs;
  }

  #record(histogram: Histogram, sequence: number, now: number): void {
    const batch = Math.floor(sequence / this.#batch);
    if (batch >= this.#warm) histogram.recordMs(now - this.#dueAtMs(batch));
  }

  start(): void {
    this.#startMs = performance.now();
  }

  /** Sends what is due, as far as senders are free. */
  pump(): void {
    const now = performance.now();
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
    this.#record(this.enqueue, first, performance.now());
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
      const at = performance.now();
      for (const sequence of sequences) this.#record(this.dequeue, sequence, at);
      received.addAll(sequences);
      await receiver.delete(receipts);
      this.deletion.recordMs(performance.now() - at);
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
  async settled(receiving: Promise<unknown>): Promise<void> {
    receiving.catch((error: unknown) => this.#fail(error));
    const lastMs = this.#dueAtMs(this.#total) - performance.now() + SETTLE_TIMEOUT_MS;
    await new Promise<void>((resolve) => {
      const timeout = setTimeout(() => this.#fail(new Error('Messages are missing.')), lastMs);
      this.#settled = () => {
        clearTimeout(timeout);
        resolve();
      };
      this.#settleIfDone();
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  get measuredMessages(): number {
    return (this.#total - this.#warm) * this.#batch;
  }
}

async function openAll<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, open));
}

async function openLoop(parameters: LatencyParameters, driver: Driver) {
  const senders = await openAll(parameters.senders, () => driver.sender());
  const receivers = await openAll(parameters.receivers, () => driver.receiver());
  return { loop: new OpenLoop(parameters, senders), receivers };
}

export const load: Load<LatencyParameters> = async (parameters, context) => {
  const driver = await openDriver(parameters.driver, parameters.options);
  const { loop, receivers } = await openLoop(parameters, driver);
  const receiving = Promise.all(receivers.map((r) => loop.receive(r, parameters.receiveMax)));
  receiving.catch(() => undefined); // Told by settled(), which looks at it later.
  loop.start();
  const ticker = startTicker(TICK_MS_MIN, () => loop.pump());
  const settled = loop.settled(receiving);
  await new Promise<void>((resolve) => {
    setTimeout(resolve, loop.warmMs);
  });
  await context.begin();
  await settled;
  context.end();
  await ticker.stop();
  await driver.close();
  return {
    messages: loop.measuredMessages,
    ledger: loop.ledger.snapshot(),
    latencies: {
      enqueue: loop.enqueue.snapshot(),
      dequeue: loop.dequeue.snapshot(),
      delete: loop.deletion.snapshot(),
      lag: loop.lag.snapshot(),
    },
  };
};
