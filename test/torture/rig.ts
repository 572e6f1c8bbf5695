/* A server, clients that use it through the SQS API whatever happens, and a judge at the end. What
 * happens is the caller's to choose. */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { TestServer } from '../support/server.ts';
import { type ClientRole, type RunClient, runClientHere } from './client.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { judge, type Promises, type Verdict } from './history.ts';
import { readLedgers } from './ledger.ts';
import { sqsClient } from './sqs-clients.ts';
import { untilEmpty } from './sqs-workers.ts';

export interface RigOptions {
  /** A folder of its own. */
  readonly folder: string;
  readonly seed: number;
  readonly fifo: boolean;
  readonly producers: number;
  readonly consumers: number;
  readonly messagesPerProducer: number;
  readonly groups: number;
  readonly visibilityMs: number;
  /** Spreads each producer's messages over the faults. */
  readonly pauseMs: number;
  readonly disk: boolean;
  /** In this process, if it does not say otherwise. */
  readonly runClient?: RunClient;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

const DRAIN_PATIENCE_MS = 120_000;
const DRAIN_PATIENCE_MS_PER_MESSAGE = 20;
const HEALTH_PATIENCE_MS = 60_000;

export class Rig implements AsyncDisposable {
  readonly server: TestServer;
  readonly random: SeededRandom;
  readonly #disk: FaultyDisk | undefined;
  readonly #options: RigOptions;
  readonly #client: SQSClient;
  readonly #ledgers: string;
  readonly #stop = new AbortController();
  #queueUrl = '';
  #producers: Promise<string[]>[] = [];
  #consumers: Promise<string[]>[] = [];

  static async start(options: RigOptions): Promise<Rig> {
    const data = path.join(options.folder, 'data');
    const ledgers = path.join(options.folder, 'ledgers');
    const own = path.join(options.folder, 'disk');
    for (const each of [data, ledgers, own]) mkdirSync(each);
    const disk = options.disk ? new FaultyDisk(data, own) : undefined;
    const server = await TestServer.start({
      data,
      args: ['--partitions', '2', '--doors', '2', '--log-level', 'warn', ...(options.args ?? [])],
      env: { ...disk?.env, ...options.env },
      nodeArgs: options.nodeArgs ?? [],
    });
    const rig = new Rig(options, server, disk, ledgers);
    await rig.#begin();
    return rig;
  }

  private constructor(
    options: RigOptions,
    server: TestServer,
    disk: FaultyDisk | undefined,
    ledgers: string,
  ) {
    this.#options = options;
    this.server = server;
    this.#disk = disk;
    this.#ledgers = ledgers;
    this.random = seededRandom(options.seed);
    this.#client = sqsClient(server.url);
  }

  get disk(): FaultyDisk {
    if (this.#disk === undefined) throw new Error('this rig has an honest disk');
    return this.#disk;
  }

  async #begin(): Promise<void> {
    const { fifo, producers, consumers, visibilityMs, seed } = this.#options;
    const { messagesPerProducer: count, groups, pauseMs } = this.#options;
    const { QueueUrl } = await this.#client.send(
      new CreateQueueCommand({
        QueueName: fifo ? 'torture.fifo' : 'torture',
        Attributes: {
          VisibilityTimeout: String(visibilityMs / 1000),
          ...(fifo
            ? {
                FifoQueue: 'true',
                DeduplicationScope: 'messageGroup',
                FifoThroughputLimit: 'perMessageGroupId',
              }
            : {}),
        },
      }),
    );
    this.#queueUrl = QueueUrl!;
    const common = {
      url: this.server.url,
      queueUrl: this.#queueUrl,
      folder: this.#ledgers,
      visibilityMs,
    };
    for (let p = 0; p < producers; p++) {
      const own = Array.from({ length: groups / producers }, (_, group) => `g${p}-${group}`);
      const what = fifo ? { count, pauseMs, groups: own } : { count, pauseMs };
      this.#producers.push(this.#run({ kind: 'producer', ...common, name: `p${p}`, ...what }));
    }
    for (let c = 0; c < consumers; c++) {
      const who = { ...common, name: `c${c}` };
      const inOrder = { seed: seed + c, crashOneIn: 30 };
      this.#consumers.push(
        fifo
          ? this.#run({ kind: 'in-order consumer', ...who, ...inOrder })
          : this.#run({ kind: 'consumer', ...who }),
      );
    }
    // A failure is not unhandled while faults are under way; `finish` reports it.
    for (const each of [...this.#producers, ...this.#consumers]) each.catch(() => undefined);
  }

  #run(role: ClientRole): Promise<string[]> {
    return (this.#options.runClient ?? runClientHere)(role, this.#stop.signal);
  }

  /** Resolves when every partition runs, after a restart if that is what it takes. */
  async healthy(): Promise<void> {
    const until = performance.now() + HEALTH_PATIENCE_MS;
    while (performance.now() < until) {
      const health = await this.#health();
      if (health === 'ok') return;
      if (health === 'failed') {
        // What a fault has left over must not meet the next start.
        this.#disk?.repair();
        await this.server.restart();
      }
      await sleep(20);
    }
    throw new Error(`not healthy after ${HEALTH_PATIENCE_MS} ms:\n${this.server.log}`);
  }

  async #health(): Promise<'ok' | 'failed' | 'other'> {
    try {
      const answer = await fetch(`${this.server.url}/healthz`);
      const text = await answer.text();
      if (answer.status === 200) return 'ok';
      return text.includes('"failed"') ? 'failed' : 'other';
    } catch {
      // It does not listen, or its process ends at this moment.
      return 'other';
    }
  }

  /** Waits for the producers, drains the queue, and judges what everybody saw. */
  async finish(promises: Omit<Promises, 'drained' | 'fifo'>): Promise<Verdict> {
    await this.healthy();
    await Promise.all(this.#producers);
    const { producers, messagesPerProducer } = this.#options;
    const perMessage = producers * messagesPerProducer * DRAIN_PATIENCE_MS_PER_MESSAGE;
    await untilEmpty(this.#client, this.#queueUrl, DRAIN_PATIENCE_MS + perMessage);
    this.#stop.abort();
    const unexplained = (await Promise.all(this.#consumers)).flat();
    const { fifo } = this.#options;
    const verdict = judge(readLedgers(this.#ledgers), { ...promises, drained: true, fifo });
    return { ...verdict, violations: [...unexplained, ...verdict.violations] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([...this.#producers, ...this.#consumers]);
    this.#client.destroy();
    await this.server.close();
    this.#disk?.[Symbol.dispose]();
  }
}
