/* What a log takes on disk against what lives in it, over weeks of traffic on a simulated clock and
 * a simulated disk. */

import { describe, expect, it } from 'vitest';
import { FaultyStorage } from '../../support/faulty-storage.ts';
import {
  PartitionState,
  REGION_BYTES,
  settingsOf,
  type TestMessage,
} from '../../support/partition-state.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SHORT = 1;
const LONG = 2;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const RETENTION_MS = 14 * DAY_MS;
const SWEEP_MAX = 20_000;
/** A turn's clock: a step of the cleaner is due in each. */
const TURN_MS = 10;
const TURNS_PER_STEP = 8;
const STORED_PER_LIVE_MAX = 2;
const REGIONS_ALLOWED = 4;

class Traffic {
  readonly storage = new FaultyStorage();
  readonly part: PartitionState;
  now = 1_700_000_000_000;
  #nextId = 1;

  constructor() {
    const over = { retentionMs: RETENTION_MS, visibilityTimeoutMs: 60 * MINUTE_MS };
    const queues = [settingsOf(SHORT, over), settingsOf(LONG, over)];
    this.part = new PartitionState(this.storage, queues, this.now);
  }

  send(queueId: number, count: number, padding: number): void {
    const messages = Array.from({ length: count }, (): TestMessage => {
      return { id: this.#nextId++, padding };
    });
    const results = this.part.send(queueId, messages, this.now);
    expect(results.every(({ error }) => error === undefined)).toBe(true);
    this.turn();
  }

  /** Receives and deletes. */
  consume(queueId: number, max: number): void {
    const received = this.part.receive(queueId, max, this.now);
    if (typeof received === 'string') throw new Error(received);
    this.part.delete(queueId, received, this.now);
    this.turn();
  }

  /** As a partition ends its turn. */
  turn(): void {
    this.part.state.tick(this.now);
    this.part.cleaner.step(this.now);
    this.part.endTurn();
    this.now += TURN_MS;
  }

  /** Lets `ms` go by, in which a few turns are taken. */
  pass(ms: number): void {
    this.now += ms;
    this.part.state.sweep(this.now, SWEEP_MAX);
    for (let turn = 0; turn < TURNS_PER_STEP; turn++) this.turn();
  }

  get liveBytes(): number {
    return this.part.state.store.regions.bytes;
  }

  get allowedBytes(): number {
    return this.liveBytes * STORED_PER_LIVE_MAX + REGIONS_ALLOWED * REGION_BYTES;
  }

  /** Starts anew from what is on disk. */
  restart(): void {
    const over = { retentionMs: RETENTION_MS, visibilityTimeoutMs: 60 * MINUTE_MS };
    this.storage.kill();
    this.part.recover([settingsOf(SHORT, over), settingsOf(LONG, over)], this.now);
  }
}

describe('the disk that a log takes', () => {
  it('stays within twice what lives and four regions, whether it lives hours or weeks', () => {
    const traffic = new Traffic();
    const random = seededRandom(5);
    let most = 0;
    // Two weeks until the first of the long-lived expire, one in which they do, and a day of quiet.
    for (let hour = 0; hour < 21 * 24; hour++) {
      for (let batch = 0; batch < 4; batch++) {
        traffic.send(SHORT, 1 + random.below(3), 200 + random.below(300));
        if (random.oneIn(4)) traffic.send(LONG, 1 + random.below(2), 200 + random.below(300));
      }
      traffic.consume(SHORT, 12);
      traffic.pass(60 * MINUTE_MS);
      most = Math.max(most, traffic.storage.usedBytes - traffic.allowedBytes);
    }
    expect(traffic.liveBytes).toBeGreaterThan(10 * REGION_BYTES);
    expect(most).toBeLessThanOrEqual(0);
    // Nobody consumes: what is past its retention goes by itself, and its space with it.
    for (let day = 0; day < 15; day++) traffic.pass(DAY_MS);
    expect(traffic.liveBytes).toBe(0);
    expect(traffic.storage.usedBytes).toBeLessThanOrEqual(REGIONS_ALLOWED * REGION_BYTES);
  });

  it('stays bounded when one poisoned message in each region is never deleted', () => {
    const traffic = new Traffic();
    let most = 0;
    for (let step = 0; step < 1000; step++) {
      // About one in a region of eight kilobytes.
      if (step % 3 === 0) traffic.send(LONG, 1, 250);
      for (let batch = 0; batch < 3; batch++) traffic.send(SHORT, 3, 200);
      traffic.consume(SHORT, 9);
      traffic.pass(1000);
      most = Math.max(most, traffic.storage.usedBytes - traffic.allowedBytes);
    }
    expect(most).toBeLessThanOrEqual(0);
    const before = traffic.part.dump();
    expect(before.get(LONG)).toHaveLength(334);
    traffic.restart();
    expect(traffic.part.dump()).toEqual(before);
  });

  it('comes to rest, also where a copy of a message takes far more than the message', () => {
    const traffic = new Traffic();
    for (let step = 0; step < 100; step++) {
      traffic.send(LONG, 10, 0);
      traffic.send(SHORT, 60, 0);
      traffic.consume(SHORT, 60);
      traffic.pass(1000);
    }
    const { cleaner } = traffic.part;
    for (let turn = 0; turn < 100; turn++) traffic.turn();
    const { relocatedBytes } = cleaner;
    for (let turn = 0; turn < 2000; turn++) traffic.turn();
    expect(relocatedBytes).toBeGreaterThan(0);
    expect(cleaner.relocatedBytes).toBe(relocatedBytes);
  });
});
