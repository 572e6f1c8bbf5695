/* Producers and consumers over the SQS API that go on whatever happens to the server. All that they
 * see is in their ledger; the end of their work is for their caller to find. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { bodyOf, type Content, Ledger, machineMs } from './ledger.ts';
import { recordingSqsClient } from './sqs-clients.ts';

export interface WorkerOptions {
  readonly url: string;
  readonly queueUrl: string;
  /** Where the ledger goes. */
  readonly folder: string;
  /** Unlike that of any other worker. */
  readonly name: string;
  /** The queue's. */
  readonly visibilityMs: number;
  readonly signal: AbortSignal;
}

export interface ProducerOptions extends WorkerOptions {
  readonly count: number;
  /** Of a FIFO queue: send to these groups, which nobody else sends to. */
  readonly groups?: readonly string[];
  /** Spreads the sends over time. */
  readonly pauseMs?: number;
}

const BATCH = 10;
const RETRY_MS = 20;
/** Between receives: consumers that keep up leave nothing in the queue that could be lost. */
const CONSUMER_PAUSE_MS = 200;

/** Runs until its messages are acknowledged, all of them, or until `signal`. */
export async function produce(options: ProducerOptions): Promise<void> {
  const { url, queueUrl, folder, name, visibilityMs, signal, count, groups, pauseMs = 0 } = options;
  using ledger = new Ledger(folder, name);
  const client = recordingSqsClient(url, ledger, name, visibilityMs);
  const random = seededRandom(name.length * 7919 + count);
  const orders = new Map<string, number>();
  for (let made = 0; made < count && !signal.aborted; ) {
    const size = random.oneIn(4) ? 1 : Math.min(BATCH, count - made);
    const contents = Array.from({ length: size }, (_, i): Content => {
      const key = `${name}:${made + i}`;
      if (groups === undefined) return { key };
      const group = groups[random.below(groups.length)]!;
      const order = orders.get(group) ?? 0;
      orders.set(group, order + 1);
      return { key, group, order };
    });
    made += size;
    await sendAll(client, queueUrl, contents, signal);
    if (pauseMs > 0) await sleep(random.below(2 * pauseMs + 1));
  }
  client.destroy();
}

/** Sends until everything is acknowledged; in order, where there is one. */
async function sendAll(
  client: SQSClient,
  queueUrl: string,
  contents: readonly Content[],
  signal: AbortSignal,
): Promise<void> {
  let left = contents;
  while (left.length > 0 && !signal.aborted) {
    try {
      left = await sendSome(client, queueUrl, left);
    } catch (error) {
      requireServerTrouble(error);
      await sleep(RETRY_MS);
    }
  }
}

/** Returns what was not accepted. */
async function sendSome(
  client: SQSClient,
  queueUrl: string,
  contents: readonly Content[],
): Promise<readonly Content[]> {
  const entryOf = (content: Content) => ({
    MessageBody: bodyOf(content),
    ...(content.group === undefined
      ? {}
      : { MessageGroupId: content.group, MessageDeduplicationId: content.key }),
  });
  if (contents.length === 1) {
    await client.send(new SendMessageCommand({ QueueUrl: queueUrl, ...entryOf(contents[0]!) }));
    return [];
  }
  const Entries = contents.map((content, i) => ({ Id: String(i), ...entryOf(content) }));
  const { Failed = [] } = await client.send(
    new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }),
  );
  for (const failure of Failed) {
    if (failure.SenderFault === true) throw new Error(`refused: ${failure.Message}`);
  }
  if (Failed.length > 0) await sleep(RETRY_MS);
  const failed = new Set(Failed.map((each) => Number(each.Id)));
  return contents.filter((_, i) => failed.has(i));
}

/** What a client meets while a server is down or in trouble; anything else is a find. */
function requireServerTrouble(error: unknown): void {
  if (!(error instanceof Error)) throw error;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const code = (error as { code?: string }).code ?? (error as { errno?: unknown }).errno;
  const trouble =
    (status !== undefined && status >= 500) ||
    code !== undefined ||
    /Throttl|OverLimit|Timeout|Abort/i.test(error.name) ||
    /socket hang up|ECONN|EPIPE|non-retryable streaming/i.test(error.message);
  if (!trouble) throw error;
}

/** `sqs-consumer`, unmodified. Runs until `signal`. Resolves with errors that a server in trouble
 *  does not explain. */
export async function consumeByLibrary(options: WorkerOptions): Promise<string[]> {
  const { url, queueUrl, folder, name, visibilityMs, signal } = options;
  using ledger = new Ledger(folder, name);
  const client = recordingSqsClient(url, ledger, name, visibilityMs);
  const unexplained: string[] = [];
  const consumer = Consumer.create({
    queueUrl,
    sqs: client,
    batchSize: BATCH,
    waitTimeSeconds: 1,
    pollingWaitTimeMs: CONSUMER_PAUSE_MS,
    // A server that is being restarted looks like credentials to it that are wrong.
    authenticationErrorTimeout: 100,
    messageSystemAttributeNames: ['ApproximateReceiveCount'],
    handleMessageBatch: async (messages) => messages,
  });
  const onError = (error: Error) => {
    const cause = (error as { cause?: unknown }).cause ?? error;
    try {
      requireServerTrouble(cause);
    } catch {
      unexplained.push(`${error.name}: ${error.message}`);
    }
  };
  consumer.on('error', onError);
  consumer.on('processing_error', onError);
  consumer.start();
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const stopped = new Promise<void>((resolve) => consumer.once('stopped', () => resolve()));
  consumer.stop({ abort: true });
  await stopped;
  client.destroy();
  return unexplained;
}

export interface FifoConsumerOptions extends WorkerOptions {
  readonly seed: number;
  /** It forgets what it has received once in so many receives, as one that crashed would. */
  readonly crashOneIn: number;
}

/** Handles messages one after another, in the order they came. Runs until `signal`. */
export async function consumeInOrder(options: FifoConsumerOptions): Promise<void> {
  const { url, queueUrl, folder, name, visibilityMs, signal, seed, crashOneIn } = options;
  using ledger = new Ledger(folder, name);
  const random = seededRandom(seed);
  for (let life = 0; !signal.aborted; life++) {
    const client = recordingSqsClient(url, ledger, `${name}.${life}`, visibilityMs);
    await oneLife(client, queueUrl, random, crashOneIn, visibilityMs, signal);
    client.destroy();
  }
}

async function oneLife(
  client: SQSClient,
  queueUrl: string,
  random: SeededRandom,
  crashOneIn: number,
  visibilityMs: number,
  signal: AbortSignal,
): Promise<void> {
  const receive = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: BATCH,
    WaitTimeSeconds: 1,
    MessageSystemAttributeNames: ['ApproximateReceiveCount', 'MessageGroupId'],
  });
  while (!signal.aborted) {
    const asked = machineMs();
    const messages = await trying(async () => (await client.send(receive)).Messages ?? []);
    if (messages.length === 0) continue;
    await sleep(random.below(2 * CONSUMER_PAUSE_MS));
    if (random.oneIn(crashOneIn)) return;
    // Some at a time: a crash may come in between.
    const handled = messages.slice(0, 1 + random.below(messages.length));
    await deleteInTime(client, queueUrl, handled, asked + visibilityMs / 2);
    if (handled.length < messages.length && random.oneIn(crashOneIn)) return;
    await deleteInTime(client, queueUrl, messages.slice(handled.length), asked + visibilityMs / 2);
  }
}

/** Goes on until they are deleted, or until somebody else may have them. */
async function deleteInTime(
  client: SQSClient,
  queueUrl: string,
  messages: readonly Message[],
  until: number,
): Promise<void> {
  let left = messages;
  while (left.length > 0 && machineMs() < until) {
    const asked = left;
    const Entries = asked.map((each, i) => ({
      Id: String(i),
      ReceiptHandle: each.ReceiptHandle!,
    }));
    left = await trying(async () => {
      const command = new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries });
      const { Failed = [] } = await client.send(command);
      return Failed.map((each) => asked[Number(each.Id)]!);
    }, asked);
  }
}

async function trying<Result>(
  work: () => Promise<readonly Result[]>,
  otherwise: readonly Result[] = [],
): Promise<readonly Result[]> {
  try {
    return await work();
  } catch (error) {
    requireServerTrouble(error);
    await sleep(RETRY_MS);
    return otherwise;
  }
}

/** Resolves once the queue holds nothing any longer, whatever state it would be in. */
export async function untilEmpty(
  client: SQSClient,
  queueUrl: string,
  patienceMs: number,
): Promise<void> {
  const names = [
    'ApproximateNumberOfMessages',
    'ApproximateNumberOfMessagesNotVisible',
    'ApproximateNumberOfMessagesDelayed',
  ] as const;
  const until = machineMs() + patienceMs;
  let left = Number.NaN;
  while (machineMs() < until) {
    const command = new GetQueueAttributesCommand({
      QueueUrl: queueUrl,
      AttributeNames: [...names],
    });
    const counts = await trying(async () => {
      const { Attributes } = await client.send(command);
      return names.map((name) => Number(Attributes?.[name]));
    });
    left = counts.length === 0 ? Number.NaN : counts.reduce((sum, each) => sum + each, 0);
    if (left === 0) return;
    await sleep(50);
  }
  throw new Error(`${left} messages are left in ${queueUrl} after ${Math.round(patienceMs)} ms`);
}
