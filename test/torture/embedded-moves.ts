/* A process in whose broker messages go round: received too often they go to a dead-letter queue,
 * and move tasks take them back, or elsewhere and from there back; those of FIFO queues to groups
 * on other partitions. It is killed in the middle of it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../support/seeded-random.ts';
import { announce, embeddedOptions, openEmbedded } from './embedded-program.ts';

const { data, life } = embeddedOptions();
const random = seededRandom(life);
const broker = await openEmbedded(data);
const { service } = broker;
announce();

async function receiveForEver(name: string): Promise<never> {
  const queue = service.findQueue(name)!;
  for (;;) {
    await service.receive(queue, { max: 1 + random.below(20), waitMs: 20 });
    await sleep(random.below(5));
  }
}

/** Moves what is dead back to where it came from, by tasks one after the other. */
async function moveForEver(name: string, destinations: readonly string[]): Promise<never> {
  const dead = service.findQueue(name)!;
  for (;;) {
    const tasks = await service.listMoveTasks(name, 1);
    const unfinished = ['RUNNING', 'CANCELLING'].includes(tasks[0]?.status ?? '');
    if (!unfinished && service.counts(dead).visible > 0) {
      const rate = random.oneIn(2) ? undefined : 500;
      const destination = destinations[random.below(destinations.length + 1)];
      const task = await service.startMoveTask(name, destination, rate);
      // A task that was cancelled leaves nothing half moved either.
      if (random.oneIn(4)) await service.cancelMoveTask(task.taskId).catch(() => undefined);
    }
    await sleep(random.below(20));
  }
}

await Promise.all([
  receiveForEver('source'),
  moveForEver('dead', ['source']),
  receiveForEver('row.fifo'),
  receiveForEver('other.fifo'),
  moveForEver('dead.fifo', ['row.fifo', 'other.fifo']),
]);
