/* Lanes that send, and lanes that receive and delete, side by side until told to stop. Each lane
 * has one call in flight; the ledger is kept here. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver, DriverOptions, Receiver, Sender } from '../drivers/driver.ts';
import { type DriverName, openDriver } from '../drivers/drivers.ts';
import { Ledger } from '../harness/ledger.ts';
import type { LoadContext } from '../harness/load-contract.ts';

const STALL_MS = 30_000; // nothing moved for so long: messages are lost, or the server hangs
const FLOW_LOOK_MS = 10;
const DRAIN_RECEIVERS = 16;
const LINGER_MS = 50; // after the last deletion: a message that comes once more is seen

/** How messages are received and deleted afterwards, off the clock: by the fastest way there is. */
export interface DrainParameters {
  readonly driver: DriverName;
  readonly options: DriverOptions;
}

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

export interface ProcessLanes extends Pick<LaneOptions, 'senders' | 'receivers' | 'openMax'> {
  readonly options: DriverOptions;
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
  #failure: unknown;
  #receives = 0; // that returned something
  /** Called when nothing is open any more, or a lane has failed. */
  #ended: () => void = () => undefined;

  constructor(driver: Driver, options: LaneOptions) {
    this.#driver = driver;
    this.#options = options;
    this.#nextSequence = options.firstSequence;
    this.#endSequence = options.firstSequence + options.messagesMax;
  }

  /** Lanes of one load process among others, which run until told to stop. */
  static ofProcess(driver: Driver, lanes: ProcessLanes, { index }: LoadContext): Lanes {
    const { options, senders, receivers, openMax } = lanes;
    return new Lanes(driver, {
      senders,
      receivers,
      openMax,
      batch: options.batch,
      firstSequence: index * SEQUENCES_PER_PROCESS,
      messagesMax: Number.POSITIVE_INFINITY,
    });
  }

  /** Lanes that only take what others have sent. */
  static forWhatIsThere(driver: Driver, batch: number): Lanes {
    return new Lanes(driver, {
      batch,
      senders: 0,
      receivers: DRAIN_RECEIVERS,
      openMax: 0,
      firstSequence: 0,
      messagesMax: Number.POSITIVE_INFINITY,
    });
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

  /** `driver` need not be that of the senders. */
  async startReceivers(driver = this.#driver, batch = this.#options.batch): Promise<void> {
    const lanes = await this.#lanes(this.#options.receivers, () => driver.receiver());
    void this.#watched(lanes.map((receiver) => this.#receive(receiver, batch)));
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
      this.#ended();
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

  async #receive(receiver: Receiver, batch: number): Promise<void> {
    const { received, deleted } = this.ledger;
    while (!this.#isDrained()) {
      const { sequences, receipts } = await receiver.receive(batch);
      if (sequences.length === 0) continue;
      this.#receives += 1;
      received.addAll(sequences);
      await receiver.delete(receipts);
      deleted.addAll(sequences);
      this.#makeRoom();
      if (this.#isDrained()) this.#ended();
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

  /** Resolves once the first message has gone all the way; before that there is nothing to time. */
  async flowing(): Promise<void> {
    while (this.ledger.deleted.count === 0) {
      this.check();
      await sleep(FLOW_LOOK_MS);
    }
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

  /** Stops sending, and resolves once all is received and deleted. Receives that wait for more are
   *  left to their driver, whose closing ends them. */
  async drain(): Promise<void> {
    this.stopSending();
    await this.sentAll();
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    let moved = -1;
    const watch = setInterval(() => {
      const { sent, received, deleted } = this.ledger;
      if (deleted.count === moved) {
        this.#failure ??= new Error(
          `Nothing moves: ${sent.count} sent, ${received.count} received, ` +
            `${deleted.count} deleted.`,
        );
        this.#ended();
      }
      moved = deleted.count;
    }, STALL_MS);
    if (!this.#isDrained()) await ended;
    clearInterval(watch);
    this.check();
    await sleep(LINGER_MS);
  }

  /** Drains by other means than those of the senders. */
  async drainBy({ driver: name, options }: DrainParameters): Promise<void> {
    const driver = await openDriver(name, options);
    await this.startReceivers(driver, options.batch);
    await this.drain();
    await driver.close();
  }
}
