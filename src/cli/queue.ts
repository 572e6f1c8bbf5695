/* `capstan queue ls|create|show|purge|delete`. */

import type { Command } from 'commander';
import { BrokerError } from '../base/errors.ts';
import { QUEUES_LISTED_MAX } from '../base/limits.ts';
import type { Broker, QueueCounts, QueueDefinition, RedriveAllowPolicy } from '../client/index.ts';
import type { CliContext } from './command.ts';
import { confirm } from './confirm.ts';
import { columnsOf, counted, writeJson, writeLines } from './output.ts';
import { attributesOf, type CreateOptions, tagsOf } from './queue-options.ts';
import { type ServerOptions, serverCommand, withServer } from './server.ts';
import { type Column, formatTable, oneLine } from './table.ts';
import { formatBytes, formatCount, formatDurationMs } from './units.ts';

export function queueCommand(program: Command, context: CliContext): void {
  const family = program.command('queue').description('Create, show, empty and delete queues.');
  listCommand(family, context);
  createCommand(family, context);
  showCommand(family, context);
  removalCommand(family, context, PURGE);
  removalCommand(family, context, DELETE);
}

/** Every queue whose name starts with `prefix`, by name, in pages. */
export async function* listQueues(
  server: Broker,
  prefix: string | undefined,
): AsyncGenerator<QueueDefinition[]> {
  let after: string | undefined;
  for (;;) {
    const page = await server.listQueues({ prefix, after, max: QUEUES_LISTED_MAX });
    if (page.length > 0) yield page;
    if (page.length < QUEUES_LISTED_MAX) return;
    after = page.at(-1)!.name;
  }
}

// ls

interface ListedQueue {
  readonly queue: QueueDefinition;
  readonly counts: QueueCounts;
}

const LIST_COLUMNS: readonly Column<ListedQueue>[] = [
  { title: 'QUEUE', cell: ({ queue }) => queue.name },
  { title: 'KIND', cell: ({ queue }) => kindOf(queue) },
  { title: 'VISIBLE', align: 'right', cell: ({ counts }) => formatCount(counts.visible) },
  { title: 'IN FLIGHT', align: 'right', cell: ({ counts }) => formatCount(counts.inFlight) },
  { title: 'DELAYED', align: 'right', cell: ({ counts }) => formatCount(counts.delayed) },
  { title: 'DEAD LETTERS TO', cell: ({ queue }) => deadLettersOf(queue) },
];

function kindOf({ attributes }: QueueDefinition): string {
  return attributes.fifo ? 'fifo' : 'standard';
}

function deadLettersOf({ attributes: { redrivePolicy } }: QueueDefinition): string {
  if (redrivePolicy === undefined) return '-';
  const { deadLetterQueue, maxReceiveCount } = redrivePolicy;
  return `${deadLetterQueue}, after ${counted(maxReceiveCount, 'receive')}`;
}

function listCommand(family: Command, context: CliContext): void {
  serverCommand(family, 'ls', 'List queues, and how many messages they hold.')
    .argument('[prefix]', 'of their names')
    .action((prefix: string | undefined, options: ServerOptions) =>
      withServer(options, async (server) => {
        const listed: ListedQueue[] = [];
        for await (const page of listQueues(server, prefix)) {
          // A queue may be deleted between its listing and its counting.
          const counts = await Promise.allSettled(
            page.map(({ name }) => server.queue(name).counts()),
          );
          page.forEach((queue, at) => {
            const each = counts[at]!;
            if (each.status === 'fulfilled') listed.push({ queue, counts: each.value });
          });
        }
        if (options.json === true) {
          for (const each of listed) await writeJson(context, queueJson(each));
          return;
        }
        await writeLines(context, formatTable(LIST_COLUMNS, listed, columnsOf(context.stdout)));
        if (listed.length === 0) context.stderr.write('None yet: capstan queue create NAME\n');
      }),
    );
}

function queueJson({ queue, counts }: ListedQueue): object {
  const { name, attributes, tags, createdAtMs, modifiedAtMs } = queue;
  return { name, counts, attributes, tags, createdAtMs, modifiedAtMs };
}

// create

function createCommand(family: Command, context: CliContext): void {
  serverCommand(family, 'create', 'Create a queue; a name that ends in .fifo makes a FIFO queue.')
    .argument('<name>')
    .option('--visibility <time>', 'how long a received message is hidden (default: 30s)')
    .option('--delay <time>', 'how long a new message is hidden (default: 0s)')
    .option('--retention <time>', 'how long a message is kept (default: 4d)')
    .option('--wait <time>', 'how long a receive waits that does not say (default: 0s)')
    .option('--max-bytes <count>', 'largest message (default: 1048576)')
    .option('--in-flight <count>', 'most messages that are received and not deleted')
    .option('--content-deduplication', 'FIFO: messages of the same content are duplicates')
    .option('--high-throughput', 'FIFO: groups spread over the partitions')
    .option('--dead-letters <queue>', 'where messages go that were received too often')
    .option('--max-receives <count>', 'how often is not too often (default: 5)')
    .option('--backoff <first,factor,most>', 'delay before a redelivery, such as 1s,2,10m')
    .option('--tag <key=value...>', 'tags')
    .action((name: string, options: CreateOptions) =>
      withServer(options, async (server) => {
        await server.createQueue(name, attributesOf(name, options), tagsOf(options.tag ?? []));
        if (options.json === true) await writeJson(context, queueJson(await look(server, name)));
        else await writeLines(context, [`${name} is there.`]);
      }),
    );
}

async function look(server: Broker, name: string): Promise<ListedQueue> {
  const queue = await server.queue(name).describe();
  if (queue === undefined) {
    throw new BrokerError('CAPSTAN_QUEUE_DOES_NOT_EXIST', `There is no queue "${name}".`);
  }
  return { queue, counts: await server.queue(name).counts() };
}

// show

function showCommand(family: Command, context: CliContext): void {
  serverCommand(family, 'show', "Show a queue's attributes, and what it holds.")
    .argument('<name>')
    .action((name: string, options: ServerOptions) =>
      withServer(options, async (server) => {
        const listed = await look(server, name);
        const oldestSentAtMs = await server.queue(name).oldestSentAtMs();
        const sources = await server.queue(name).deadLetterSources();
        if (options.json === true) {
          const more = { oldestSentAtMs: oldestSentAtMs ?? null, deadLetterSources: sources };
          await writeJson(context, { ...queueJson(listed), ...more });
          return;
        }
        await writeLines(context, factLines(factsOf(listed, oldestSentAtMs, sources)));
      }),
    );
}

type Fact = readonly [what: string, value: string];

function factsOf(
  { queue, counts }: ListedQueue,
  oldestSentAtMs: number | undefined,
  sources: readonly string[],
): Fact[] {
  const { attributes, tags } = queue;
  const { retryBackoff: backoff, redriveAllowPolicy: allow } = attributes;
  const facts: (Fact | undefined)[] = [
    ['queue', queue.name],
    ['kind', kindOf(queue)],
    ['visible', formatCount(counts.visible)],
    ['in flight', `${formatCount(counts.inFlight)} of ${formatCount(attributes.inFlightMax)}`],
    ['delayed', formatCount(counts.delayed)],
    oldestSentAtMs === undefined ? undefined : ['oldest sent', instant(oldestSentAtMs)],
    ['visibility timeout', formatDurationMs(attributes.visibilityTimeoutMs)],
    ['delay', formatDurationMs(attributes.delayMs)],
    ['retention', formatDurationMs(attributes.retentionMs)],
    ['receive waits', formatDurationMs(attributes.receiveWaitMs)],
    ['largest message', formatBytes(attributes.messageBytesMax)],
    ['dead letters to', deadLettersOf(queue)],
    sources.length === 0 ? undefined : ['dead letters of', sources.join(', ')],
    allow === undefined ? undefined : ['may be of', allowText(allow)],
    backoff === undefined
      ? undefined
      : [
          'retry backoff',
          `${formatDurationMs(backoff.baseMs)}, times ${backoff.factor}, ` +
            `up to ${formatDurationMs(backoff.maxMs)}`,
        ],
    attributes.fifo ? ['deduplication', deduplicationOf(queue)] : undefined,
    ...Object.entries(tags).map(([key, value]): Fact => [`tag ${key}`, value]),
    ['created', instant(queue.createdAtMs)],
    ['modified', instant(queue.modifiedAtMs)],
  ];
  return facts.filter((fact) => fact !== undefined);
}

function allowText({ permission, sourceQueues }: RedriveAllowPolicy): string {
  if (permission === 'byQueue') return sourceQueues.join(', ');
  return permission === 'allowAll' ? 'any queue' : 'no queue';
}

function deduplicationOf({ attributes }: QueueDefinition): string {
  const by = attributes.contentBasedDeduplication ? 'by id or content' : 'by id';
  return attributes.deduplicationScope === 'queue' ? by : `${by}, per group`;
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}

function factLines(facts: readonly Fact[]): string[] {
  const width = Math.max(...facts.map(([what]) => what.length));
  return facts.map(([what, value]) => `${what.padEnd(width)}  ${oneLine(value)}`);
}

// purge and delete

interface SureOptions extends ServerOptions {
  readonly yes?: boolean;
}

/** What is lost with a queue's messages, and how it is told. */
interface Removal {
  readonly command: string;
  readonly summary: string;
  /** `what` is as in `3 messages`. */
  readonly question: (name: string, what: string) => string;
  readonly remove: (server: Broker, name: string) => Promise<void>;
  /** As JSON the name stands under this. */
  readonly done: string;
  readonly told: (name: string, what: string) => string;
}

const PURGE: Removal = {
  command: 'purge',
  summary: 'Remove every message of a queue.',
  question: (name, what) => `This removes ${what} of ${name} for good.`,
  remove: (server, name) => server.queue(name).purge(),
  done: 'purged',
  told: (name, what) => `${name} is empty: ${what} removed.`,
};

const DELETE: Removal = {
  command: 'delete',
  summary: 'Delete a queue with all its messages.',
  question: (name, what) => `This deletes ${name} and its ${what} for good.`,
  remove: (server, name) => server.deleteQueue(name),
  done: 'deleted',
  told: (name) => `${name} is gone.`,
};

function removalCommand(family: Command, context: CliContext, removal: Removal): void {
  const { command, summary, question, remove, done, told } = removal;
  serverCommand(family, command, summary)
    .argument('<name>')
    .option('--yes', 'without being asked')
    .action((name: string, options: SureOptions) =>
      withServer(options, async (server) => {
        const { counts } = await look(server, name);
        const total = counts.visible + counts.inFlight + counts.delayed;
        const what = `${formatCount(total)} ${total === 1 ? 'message' : 'messages'}`;
        await confirm(context, question(name, what), options.yes);
        await remove(server, name);
        if (options.json === true) await writeJson(context, { [done]: name, messages: total });
        else await writeLines(context, [told(name, what)]);
      }),
    );
}
