/* A noisy tenant that keeps a backlog in a standard queue, and quiet tenants that send a message
 * now and then: how long those wait for consumers that take only so many messages a second. */

import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Queue } from 'capstan/client';
import { BodyBatch, readSequence } from '../harness/bodies.ts';
import { Histogram } from '../harness/histogram.ts';
import { Ledger } from '../harness/ledger.ts';
import type { Load } from '../harness/load-contract.ts';
import { startTicker } from '../harness/ticker.ts';

export interface TenantsParameters {
  readonly url: string;
  readonly queue: string;
  readonly bodyBytes: number;
  /** Every message has its tenant as its MessageGroupId. */
  readonly grouped: boolean;
  /** Messages of the noisy tenant that wait at any time. */
  readonly backlog: number;
  readonly quietTenants: number;
  /** Of all quiet tenants together. */
  readonly quietPerSecond: number;
  readonly consumers: number;
  /** What a consumer takes at once, and how long it is busy with that. */
  readonly batch: number;
  readonly handlingMs: number;
  readonly seconds: number;
}

const NOISY_BATCH = 100;
/** Messages of quiet tenants have numbers from here on. */
const QUIET_FROM = 1_000_000_000;

class Tenants {
  readonly ledger = new Ledger();
  readonly dwell = new Histogram();
  #stopping = false;
  #noisy = 0; // sent so far
  #noisyTaken = 0;
  #quiet = 0;
  readonly #sentAtMs = new Map<number, number>();
  readonly #parameters: TenantsParameters;
  readonly #queue: Queue;

  constructor(queue: Queue, parameters: TenantsParameters) {
    this.#queue = queue;
    this.#parameters = parameters;
  }

  async #send(bodies: BodyBatch, first: number, count: number, tenant: string): Promise<void> {
    const group = this.#parameters.grouped ? { groupId: tenant } : {};
    const messages = bodies.numbered(first, count).map((body) => ({ body, ...group }));
    for (const { error } of await this.#queue.sendBatch(messages)) {
      if (error !== undefined) throw new Error(`A message was refused: ${error}`);
    }
    this.ledger.sent.addRange(first, count);
  }

  /** Resolves when the backlog stands; goes on keeping it up if `goOn`. */
  async makeNoise(goOn: boolean): Promise<void> {
    const { backlog, bodyBytes } = this.#parameters;
    const bodies = new BodyBatch(NOISY_BATCH, bodyBytes);
    while (!this.#stopping) {
      if (this.#noisy - this.#noisyTaken >= backlog) {
        if (!goOn) return;
        await sleep(1);
        continue;
      }
      await this.#send(bodies, this.#noisy, NOISY_BATCH, 'noisy');
      this.#noisy += NOISY_BATCH;
    }
  }

  /** One message of the next quiet tenant. */
  async sendQuiet(): Promise<void> {
    const sequence = QUIET_FROM + this.#quiet++;
    const tenant = `quiet-${sequence % this.#parameters.quietTenants}`;
    this.#sentAtMs.set(sequence, performance.now());
    await this.#send(new BodyBatch(1, this.#parameters.bodyBytes), sequence, 1, tenant);
  }

  /** Takes messages until told to stop and nothing is left. */
  async consume(): Promise<void> {
    const { batch, handlingMs } = this.#parameters;
    while (!this.#stopping || this.ledger.open > 0) {
      const messages = await this.#queue.receive({ max: batch, waitMs: 100 });
      const now = performance.now();
      for (const { body } of messages) this.#take(readSequence(body), now);
      if (messages.length === 0) continue;
      await sleep(handlingMs);
      await this.#queue.deleteBatch(messages);
      for (const { body } of messages) this.ledger.deleted.add(readSequence(body));
    }
  }

  #take(sequence: number, now: number): void {
    this.ledger.received.add(sequence);
    const sentAtMs = this.#sentAtMs.get(sequence);
    if (sentAtMs === undefined) this.#noisyTaken++;
    else this.dwell.recordMs(now - sentAtMs);
  }

  stop(): void {
    this.#stopping = true;
  }
}

export const load: Load<TenantsParameters> = async (parameters, context) => {
  const remote = await connect(parameters.url);
  await remote.createQueue(parameters.queue);
  const tenants = new Tenants(remote.queue(parameters.queue), parameters);
  await tenants.makeNoise(false);
  await context.begin();
  const consuming = Array.from({ length: parameters.consumers }, () => tenants.consume());
  const noise = tenants.makeNoise(true);
  const quiet: Promise<void>[] = [];
  const ticker = startTicker(process.hrtime.bigint(), 1000 / parameters.quietPerSecond, () => {
    quiet.push(tenants.sendQuiet());
  });
  await sleep(parameters.seconds * 1000);
  await ticker.stop();
  await Promise.all(quiet);
  tenants.stop();
  await noise;
  await Promise.all(consuming);
  context.end();
  await remote.close();
  return {
    messages: tenants.ledger.deleted.count,
    ledger: tenants.ledger.snapshot(),
    latencies: { quiet: tenants.dwell.snapshot() },
  };
};
