/* A history of the embedded API, with real threads under it that fail in every way: whatever
 * clients see is explained by one order of events. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SILENT_LOGGER } from '../../src/base/logger.ts';
import { FAULT_KINDS } from '../../src/command/command-codec.ts';
import { builtBroker } from '../support/built.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import {
  consumeEmbedded,
  drainEmbedded,
  type EmbeddedWorker,
  produceEmbedded,
} from '../torture/embedded-workers.ts';
import { judge } from '../torture/history.ts';
import { Ledger, readLedgers } from '../torture/ledger.ts';

const PARTITIONS = 2;
const VISIBILITY_MS = 1500;
/** As many as a partition survives within a minute. */
const FAULTS_PER_PARTITION = 3;
const GROUPS = 40;

const QUEUES = [
  ['standard', 'history', {}],
  ['FIFO', 'history.fifo', { fifo: true }],
  [
    'FIFO in high throughput',
    'spread.fifo',
    { fifo: true, deduplicationScope: 'messageGroup', throughputLimit: 'perMessageGroupId' },
  ],
] as const;

describe.each(QUEUES)('a history of a %s queue', (_, name, attributes) => {
  it('has one order that explains it, though partitions crash', async () => {
    using folder = temporaryFolder();
    using ledger = new Ledger(folder.path, 'all');
    const Broker = await builtBroker();
    const broker = await Broker.open({
      data: folder.path,
      partitions: PARTITIONS,
      faults: true,
      heartbeatTimeoutMs: 3000,
      // Small: segments are begun and given up all the time.
      segmentBytes: 4 * 1024 * 1024,
      memoryBytes: 8 * 1024 * 1024,
      logger: SILENT_LOGGER,
    });
    try {
      const { service } = broker;
      const queue = await service.createQueue(name, {
        ...attributes,
        visibilityTimeoutMs: VISIBILITY_MS,
      });
      const stop = new AbortController();
      const worker = (who: string, seed: number): EmbeddedWorker => ({
        service,
        queue,
        ledger,
        name: who,
        random: seededRandom(seed),
        signal: stop.signal,
      });
      const groupsOf = (producer: number) =>
        Array.from({ length: GROUPS }, (__, group) => `g${producer}-${group}`);
      const running = [1, 2, 3].flatMap((n) => [
        produceEmbedded(worker(`p${n}`, n), queue.attributes.fifo ? groupsOf(n) : undefined),
        consumeEmbedded(worker(`c${n}`, n + 10), 50),
      ]);
      const random = seededRandom(42);
      for (let fault = 0; fault < FAULTS_PER_PARTITION * PARTITIONS; fault++) {
        const partition = fault % PARTITIONS;
        const kind = FAULT_KINDS[random.below(FAULT_KINDS.length)]!;
        await expect(broker.fault(partition, kind)).rejects.toMatchObject({ retryable: true });
        while (broker.board.state(partition) !== 'running') await sleep(5);
        await sleep(random.below(100));
      }
      stop.abort();
      await Promise.all(running);
      const { signal: _signal, ...last } = worker('drain', 99);
      await drainEmbedded(last);
      const restarts = broker.health().map((each) => each.restarts);
      expect(Math.min(...restarts)).toBeGreaterThanOrEqual(FAULTS_PER_PARTITION);

      const { fifo } = queue.attributes;
      const verdict = judge(readLedgers(folder.path), { drained: true, fifo, exclusive: true });
      console.log(`${name}: ${JSON.stringify({ ...verdict, violations: undefined })}`);
      expect(verdict.violations).toEqual([]);
      expect(verdict.sent).toBeGreaterThan(100);
      expect(verdict.deleted).toBeGreaterThan(100);
    } finally {
      await broker.close();
    }
  });
});
