/* A process that sends to and receives from a broker inside it, notes what it sees, and is killed
 * in the middle of it. What it holds unhandled, its next life deletes with the receipts of this
 * one. */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { QueueService } from '../../src/broker/service.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { announce, embeddedOptions, openEmbedded } from './embedded-program.ts';
import { consumeEmbedded, type EmbeddedWorker, produceEmbedded } from './embedded-workers.ts';
import { Ledger } from './ledger.ts';

const VISIBILITY_MS = 1500;
const HELD = 50;
const HOLD_MS = 3_600_000;

const { data, ledgers, life } = embeddedOptions();
const broker = await openEmbedded(data);
const { service } = broker;

/** Deletes what the life before held, by the receipts that it noted, and holds something anew. */
async function holdOn(held: QueueDefinition): Promise<void> {
  const receipts = path.join(ledgers, 'receipts');
  const noted = existsSync(receipts) ? readFileSync(receipts, 'utf8').split('\n').slice(0, -1) : [];
  for (const line of noted) {
    const [of, handle] = line.split(' ');
    if (Number(of) !== life - 1) continue;
    await mustDelete(service, held, handle!);
  }
  await service.send(
    held,
    Array.from({ length: HELD }, () => ({ body: 'held' })),
  );
  const messages = await service.receive(held, { max: HELD, waitMs: 1000 });
  // From here on the receipts are in the open: they must work in the next life.
  appendFileSync(receipts, messages.map((each) => `${life} ${each.receiptHandle}\n`).join(''));
}

async function mustDelete(to: QueueService, held: QueueDefinition, handle: string): Promise<void> {
  const [error] = await to.delete(held, [handle]);
  if (error === undefined) return;
  appendFileSync(path.join(ledgers, 'refused'), `life ${life}: ${error}\n`);
}

await holdOn(await service.createQueue('held', { visibilityTimeoutMs: HOLD_MS }));
using ledger = new Ledger(ledgers, `life-${life}`);
const worker = (queue: QueueDefinition, name: string, seed: number): EmbeddedWorker => ({
  service,
  queue,
  ledger,
  name: `${name}-${life}`,
  random: seededRandom(life * 100 + seed),
  signal: new AbortController().signal,
});
const busy = await service.createQueue('busy', { visibilityTimeoutMs: VISIBILITY_MS });
announce();
await Promise.all([
  produceEmbedded(worker(busy, 'p1', 1)),
  produceEmbedded(worker(busy, 'p2', 2)),
  consumeEmbedded(worker(busy, 'c1', 3), 20),
  consumeEmbedded(worker(busy, 'c2', 4), 20),
]);
