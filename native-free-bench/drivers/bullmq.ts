/* BullMQ on Redis: addBulk, and a worker whose jobs are done once their deletion is asked for. Its
 * packages are no part of the project; see peers/installed.ts. */

import { pathToFileURL } from 'node:url';
import { fillerText, sequenceOfText, sequenceText } from '../harness/bodies.ts';
import { PEER_MODULES_VARIABLE, peerModule } from '../peers/installed.ts';
import type { DriverOptions, OpenDriver, Receiver, Sender } from './driver.ts';
import { Prefetched } from './prefetched.ts';

interface BullQueue {
  addBulk(jobs: readonly { name: string; data: string; opts: object }[]): Promise<unknown>;
  close(): Promise<void>;
}

interface BullWorker {
  on(event: 'completed', listener: (job: { id: string }) => void): void;
  close(force: boolean): Promise<void>;
}

interface BullPackage {
  readonly Queue: new (name: string, options: object) => BullQueue;
  readonly Worker: new (
    name: string,
    work: (job: { id: string; data: string }) => Promise<void>,
    options: object,
  ) => BullWorker;
}

async function loadBull(): Promise<BullPackage> {
  const file = peerModule('bullmq');
  if (file === undefined) throw new Error(`bullmq is not in ${PEER_MODULES_VARIABLE}.`);
  return (await import(pathToFileURL(file).href)) as BullPackage;
}

class BulkSender implements Sender {
  readonly #queue: BullQueue;
  readonly #filler: string;

  constructor(queue: BullQueue, { bodyBytes }: DriverOptions) {
    this.#queue = queue;
    this.#filler = fillerText(bodyBytes);
  }

  async send(first: number, count: number): Promise<void> {
    await this.#queue.addBulk(
      Array.from({ length: count }, (_, i) => ({
        name: 'm',
        data: sequenceText(first + i) + this.#filler,
        opts: { removeOnComplete: true },
      })),
    );
  }
}

interface Held {
  readonly finish: () => void;
  readonly completed: Promise<void>;
}

class WorkerReceiver implements Receiver {
  readonly worker: BullWorker;
  readonly #prefetched = new Prefetched();
  readonly #waitMs: number;
  readonly #completing = new Map<string, () => void>();

  constructor(bull: BullPackage, queue: string, connection: object, options: DriverOptions) {
    this.#waitMs = options.waitMs;
    this.worker = new bull.Worker(queue, (job) => this.#work(job), {
      connection,
      concurrency: Math.max(2, options.batch),
    });
    this.worker.on('completed', ({ id }) => {
      this.#completing.get(id)?.();
      this.#completing.delete(id);
    });
  }

  #work(job: { id: string; data: string }): Promise<void> {
    const completed = new Promise<void>((resolve) => {
      this.#completing.set(job.id, resolve);
    });
    return new Promise((finish) => {
      const held: Held = { finish, completed };
      this.#prefetched.add(sequenceOfText(job.data), held);
    });
  }

  receive(max: number) {
    return this.#prefetched.take(max, this.#waitMs);
  }

  async delete(held: readonly Held[]): Promise<void> {
    for (const { finish } of held) finish();
    await Promise.all(held.map(({ completed }) => completed));
  }
}

export const open: OpenDriver = async (options) => {
  const bull = await loadBull();
  const { hostname, port } = new URL(options.url);
  const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
  const queues: BullQueue[] = [];
  const workers: BullWorker[] = [];
  return {
    createQueue: async () => undefined, // Queues exist once they are used.
    sender: async (name = options.queue) => {
      const queue = new bull.Queue(name, { connection });
      queues.push(queue);
      return new BulkSender(queue, options);
    },
    receiver: async (name = options.queue) => {
      const receiver = new WorkerReceiver(bull, name, connection, options);
      workers.push(receiver.worker);
      return receiver;
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close(true)));
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
};
