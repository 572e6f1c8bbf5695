/* A process in whose broker messages go round: received too often they go to a dead-letter queue,
 * and move tasks take them back, or elsewhere and from there back. It is killed in the middle of
 * it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../support/seeded-random.ts';
import { announce, embeddedOptions, openEmbedded } from './embedded-program.ts';

const { data, life } = embeddedOptions();
const random = seededRandom(life);
const broker = await openEmbedded(data);
const { service } = broker;
const source = service.findQueue('source')!;
const dead = service.findQueue('dead')!;
announce();

async function receiveForEver(): Promise<never> {
  for (;;) {
    await service.receive(source, { max: 1 + random.below(20), waitMs: 20 });
    await sleep(random.below(5));
  }
}

/** Moves what is dead back to where it came from, by tasks one after the other. */
async function moveForEver(): Promise<never> {
  for (;;) {
    const tasks = await service.listMoveTasks('dead', 1);
    if (tasks[0]?.status !== 'RUNNING' && service.counts(dead).visible > 0) {
      const rate = random.oneIn(2) ? undefined : 500;
      const destination = random.oneIn(2) ? undefined : 'source';
      await service.startMoveTask('dead', destination, rate);
    }
    await sleep(random.below(20));
  }
}

await Promise.all([receiveForEver(), moveForEver()]);
