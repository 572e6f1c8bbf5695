/* `capstan redrive`: the messages of a dead-letter queue go back, and one can watch them go. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { MOVE_RATE_MAX } from '../base/limits.ts';
import type { Broker, MoveTask } from '../client/index.ts';
import { type CliContext, CliError } from './command.ts';
import { EXIT_FAILED, EXIT_NOT_FOUND, usageError } from './exit-codes.ts';
import { columnsOf, writeJson, writeLines } from './output.ts';
import { Progress } from './progress.ts';
import { type ServerOptions, serverCommand, withServer } from './server.ts';
import { type Column, formatTable } from './table.ts';
import { formatCount, parseCount } from './units.ts';

const LOOK_INTERVAL_MS = 200;
const LISTED_MAX = 10;

interface RedriveCommandOptions extends ServerOptions {
  readonly to?: string;
  readonly rate?: string;
  readonly detach?: boolean;
  readonly list?: boolean;
  readonly cancel?: boolean;
}

export function redriveCommand(program: Command, context: CliContext): void {
  serverCommand(program, 'redrive', 'Move dead letters back to where they came from.')
    .argument('<queue>', 'the dead-letter queue')
    .option('--to <queue>', 'all of them to this one')
    .option('--rate <count>', `messages per second, up to ${MOVE_RATE_MAX}`)
    .option('--detach', 'starts it, and does not wait for its end')
    .option('--list', 'shows the latest redrives instead')
    .option('--cancel', 'stops the one that runs instead; what was moved stays moved')
    .action((queue: string, options: RedriveCommandOptions) =>
      withServer(options, async (server) => {
        if (options.list === true) await list(context, server, queue, options);
        else if (options.cancel === true) await cancel(context, server, queue, options);
        else await redrive(context, server, queue, options);
      }),
    );
}

async function redrive(
  context: CliContext,
  server: Broker,
  queue: string,
  options: RedriveCommandOptions,
): Promise<void> {
  const { to, rate, json } = options;
  let task = await server.redrive(queue, {
    destination: to,
    messagesPerSecondMax:
      rate === undefined ? undefined : parseCount(rate, '--rate', 1, MOVE_RATE_MAX),
  });
  if (options.detach !== true) task = await follow(context, server, task);
  if (json === true) await writeJson(context, task);
  else await writeLines(context, [sentence(task)]);
  if (task.status === 'FAILED') throw new CliError(reasonOf(task), EXIT_FAILED);
}

/** Watches the task until it has ended. Interrupted, this ends and the task goes on. */
async function follow(context: CliContext, server: Broker, started: MoveTask): Promise<MoveTask> {
  const progress = new Progress(context.stderr, 'moved', started.toMove);
  const interruption = new AbortController();
  const removeListener = context.onStopSignal(() => interruption.abort());
  let task = started;
  try {
    while (isUnderWay(task) && !interruption.signal.aborted) {
      await sleep(LOOK_INTERVAL_MS, undefined, { signal: interruption.signal }).catch(
        () => undefined, // Interrupted: the loop ends.
      );
      const tasks = await server.listRedrives(started.source, LISTED_MAX);
      const found = tasks.find(({ taskId }) => taskId === started.taskId);
      if (found === undefined) throw new CliError(`${started.source} was deleted.`, EXIT_NOT_FOUND);
      task = found;
      progress.set(task.moved, task.toMove);
    }
  } finally {
    progress.end();
    removeListener();
  }
  return task;
}

function isUnderWay({ status }: MoveTask): boolean {
  return status === 'RUNNING' || status === 'CANCELLING';
}

const SENTENCES: Readonly<Record<MoveTask['status'], string>> = {
  RUNNING: 'goes on by itself: see --list, stop it with --cancel.',
  COMPLETED: 'is done.',
  CANCELLING: 'is being cancelled.',
  CANCELLED: 'was cancelled.',
  FAILED: 'has failed.',
};

function sentence(task: MoveTask): string {
  const { source, moved, toMove, status } = task;
  const counts = `${formatCount(moved)} of ${formatCount(toMove)} moved`;
  return `${counts}; the redrive of ${source} ${SENTENCES[status]}`;
}

/** What the reasons mean that SQS has names for. */
const REASONS: Readonly<Record<string, string>> = {
  CouldNotDetermineMessageSource:
    'The rest was not dead-lettered from a queue that still exists; name a queue with --to.',
  'AWS.SimpleQueueService.NonExistentQueue': 'The destination was deleted; name another with --to.',
};

function reasonOf({ failureReason = 'No reason is known.' }: MoveTask): string {
  return REASONS[failureReason] ?? failureReason;
}

async function cancel(
  context: CliContext,
  server: Broker,
  queue: string,
  { json, to, rate }: RedriveCommandOptions,
): Promise<void> {
  if (to !== undefined || rate !== undefined) {
    throw usageError('--cancel stops a redrive; --to and --rate are for starting one.');
  }
  const running = (await server.listRedrives(queue, LISTED_MAX)).find(isUnderWay);
  if (running === undefined) {
    throw new CliError(`No redrive of ${queue} is running.`, EXIT_NOT_FOUND);
  }
  const cancelled = await follow(context, server, await server.cancelRedrive(running.taskId));
  if (json === true) await writeJson(context, cancelled);
  else await writeLines(context, [sentence(cancelled)]);
}

const LIST_COLUMNS: readonly Column<MoveTask>[] = [
  { title: 'STARTED', cell: ({ startedAtMs }) => new Date(startedAtMs).toISOString() },
  { title: 'TO', cell: ({ destination }) => destination ?? 'their sources' },
  { title: 'STATUS', cell: ({ status }) => status.toLowerCase() },
  { title: 'MOVED', align: 'right', cell: ({ moved }) => formatCount(moved) },
  { title: 'OF', align: 'right', cell: ({ toMove }) => formatCount(toMove) },
  { title: 'PER SECOND', align: 'right', cell: (task) => rateOf(task) },
  { title: 'REASON', cell: (task) => (task.failureReason === undefined ? '' : reasonOf(task)) },
];

function rateOf({ messagesPerSecondMax }: MoveTask): string {
  return messagesPerSecondMax === undefined ? 'any' : `${messagesPerSecondMax}`;
}

async function list(
  context: CliContext,
  server: Broker,
  queue: string,
  { json }: RedriveCommandOptions,
): Promise<void> {
  const tasks = await server.listRedrives(queue, LISTED_MAX);
  if (json !== true) {
    await writeLines(context, formatTable(LIST_COLUMNS, tasks, columnsOf(context.stdout)));
    return;
  }
  for (const task of tasks) await writeJson(context, task);
}
