/* Lanes that send, and lanes that receive and delete, side by side until told to stop. Each lane
 * has one call in flight; the ledger is kept here. */

import type { Driver, Receiver, Sender } from '../drivers/driver.ts';
import { Ledger } from '../harness/ledger.ts';

const STALL_MS = 60_000; // nothing moved for so long: messages are lost, or the server hangs

/** Sequence numbers of different load processes never meet. */
export const SEQUENCES_PER_PROCESS = 400_000_000;

export interface LaneOptions {
  readonly batch: number;
  readonly senders: number;
  readonly receivers: number;
  /** Sent and not yet deleted, at most; Infinity: senders wait for nobody. */
  readonly openMax: number;
  readonly firstSequence: number;
  /** In all; Infinity: until told to stop. */
  readonly messagesMax: number;
}

export class Lanes {
  readonly ledger = new Ledger();
  readonly #driver: Driver;
  readonly #options: LaneOptions;
  #nextSequence: number;
  readonly #endSequence: number;
  #stopping = false;
  #room: (() => void)[] = [];
  #sending: Promise<unknown> = Promise.resolve();
  #receiving: Promise<unknown> = Promise.resolve();
  #failure: unknown;
  #receives = 0; // that returned something

  constructor(driver: Driver, options: LaneOptions) {
    this.#driver = driver;
    this.#options = options;
    this.#nextSequence = options.firstSequence;
    this.#endSequence = options.firstSequence + options.messagesMax;
  }

  /** Takes up `count` messages that were sent by other means, from the first number on. */
  takeUp(count: number): void {
    this.ledger.sent.addRange(this.#nextSequence, count);
    this.#nextSequence += count;
  }

  async startSenders(): Promise<void> {
    const lanes = await this.#lanes(this.#options.senders, () => this.#driver.sender());
    this.#sending = this.#watched(lanes.map((sender) => this.#send(sender)));
  }

  async startReceivers(): Promise<void> {
    const lanes = await this.#lanes(this.#options.receivers, () => this.#driver.receiver());
    this.#receiving = this.#watched(lanes.map((receiver) => this.#receive(receiver)));
  }

  #lanes<T>(count: number, open: () => Promise<T>): Promise<T[]> {
    return Promise.all(Array.from({ length: count }, open));
  }

  /** A lane that fails stops all; the failure is told by whoever waits next. */
  async #watched(lanes: readonly Promise<void>[]): Promise<void> {
    try {
      await Promise.all(lanes);
    } catch (error) {
      this.#failure ??= error;
      this.#stopping = true;
      this.#makeRoom();
    }
  }

  async #send(sender: Sender): Promise<void> {
    const { batch, openMax } = this.#options;
    const { sent, deleted } = this.ledger;
    while (!this.#stopping && this.#nextSequence < this.#endSequence) {
      const claimed = this.#nextSequence - this.#options.firstSequence;
      if (claimed - deleted.count + batch > openMax) {
        await new Promise<void>((resolve) => {
          this.#room.push(resolve);
        });
        continue;
      }
      const first = this.#nextSequence;
      const count = Math.min(batch, this.#endSequence - first);
      this.#nextSequence += count;
      await sender.send(first, count);
      sent.addRange(first, count);
    }
  }

  async #receive(receiver: Receiver): Promise<void> {
    const { received, deleted } = this.ledger;
    while (!this.#isDrained()) {
      const { sequences, receipts } = await receiver.receive(this.#options.batch);
      if (sequences.length === 0) continue;
      this.#receives += 1;
      received.addAll(sequences);
      await receiver.delete(receipts);
      deleted.addAll(sequences);
      this.#makeRoom();
    }
  }

  #isDrained(): boolean {
    if (this.#failure !== undefined) return true;
    const claimed = this.#nextSequence - this.#options.firstSequence;
    return this.#stopping && this.ledger.deleted.count >= claimed;
  }

  #makeRoom(): void {
    const waiting = this.#room;
    this.#room = [];
    for (const resolve of waiting) resolve();
  }

  /** How full receives came back. */
  get messagesPerReceive(): number {
    return this.ledger.received.count / this.#receives;
  }

  /** Throws what a lane failed with. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  stopSending(): void {
    this.#stopping = true;
    this.#makeRoom();
  }

  /** Resolves once every sender has sent all it may. */
  async sentAll(): Promise<void> {
    await this.#sending;
    this.check();
  }

  /** Stops sending, and resolves once all is received and deleted. */
  async drain(): Promise<void> {
    this.stopSending();
    await this.sentAll();
    let moved = -1;
    const watch = setInterval(() => {
      if (this.ledger.deleted.count === moved) {
        const { sent, received, deleted } = this.ledger;
        this.#failure ??= new Error(
          `Nothing moves: ${sent.count} sent, ${received.count} received, ` +
            `${deleted.count} deleted.`,
        );
        abandon();
      }
      moved = this.ledger.deleted.count;
    }, STALL_MS);
    let abandon: () => void = () => undefined;
    const abandoned = new Promise<void>((resolve) => {
      abandon = resolve;
    });
    await Promise.race([this.#receiving, abandoned]);
    clearInterval(watch);
    this.check();
  }
}
