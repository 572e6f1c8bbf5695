/* `capstan receive`, `capstan peek` and `capstan delete`: messages in the hand, in sight, and
 * gone. */

import type { Command } from 'commander';
import { ERRORS } from '../base/errors.ts';
import { BATCH_ENTRIES_MAX } from '../base/limits.ts';
import type { Message, Queue } from '../client/index.ts';
import { type CliContext, CliError } from './command.ts';
import { exitCodeOf } from './exit-codes.ts';
import { ageOf, bodyPreview, messageJson } from './message-output.ts';
import { columnsOf, counted, write, writeJson, writeLines } from './output.ts';
import { type ServerOptions, serverCommand, withServer } from './server.ts';
import { type Column, formatTable } from './table.ts';
import { formatBytes, parseCount, parseDurationMs } from './units.ts';

const MESSAGES_MAX = 1_000_000_000;

// receive

interface ReceiveCommandOptions extends ServerOptions {
  readonly max: string;
  readonly wait?: string;
  readonly visibility?: string;
  readonly delete?: boolean;
}

export function receiveCommand(program: Command, context: CliContext): void {
  serverCommand(program, 'receive', 'Receive messages, and write their bodies, a line each.')
    .argument('<queue>')
    .option('--max <count>', 'at most so many', '1')
    .option('--wait <time>', "for the first one, up to 20s (default: the queue's)")
    .option('--visibility <time>', "hidden from others for so long (default: the queue's)")
    .option('--delete', 'deletes them once they are written; else they come back')
    .action((queue: string, options: ReceiveCommandOptions) =>
      withServer(options, (server) => receive(context, server.queue(queue), options)),
    );
}

async function receive(
  context: CliContext,
  queue: Queue,
  options: ReceiveCommandOptions,
): Promise<void> {
  const max = parseCount(options.max, '--max', 1, MESSAGES_MAX);
  const { wait, visibility } = options;
  const visibilityTimeoutMs =
    visibility === undefined ? undefined : parseDurationMs(visibility, '--visibility');
  let waitMs = wait === undefined ? undefined : parseDurationMs(wait, '--wait');
  let received = 0;
  while (received < max) {
    const count = Math.min(max - received, BATCH_ENTRIES_MAX);
    const messages = await queue.receive({ max: count, waitMs, visibilityTimeoutMs });
    if (messages.length === 0) break;
    received += messages.length;
    waitMs = 0; // Only the first one is waited for.
    await show(context, messages, options);
    if (options.delete === true) await deleteAll(queue, messages);
  }
  if (received === 0 && context.stderr.isTTY === true) {
    context.stderr.write(`No message of ${queue.name} is visible now.\n`);
  } else if (options.delete !== true && context.stderr.isTTY === true) {
    const what = counted(received, 'message');
    context.stderr.write(`${what} received, and not deleted: see --delete and --json.\n`);
  }
}

async function show(
  context: CliContext,
  messages: readonly Message[],
  { json }: ServerOptions,
): Promise<void> {
  for (const message of messages) {
    if (json === true) {
      await writeJson(context, messageJson(message));
    } else {
      await write(context.stdout, message.body);
      await write(context.stdout, '\n');
    }
  }
}

async function deleteAll(queue: Queue, receipts: readonly (Message | string)[]): Promise<void> {
  const results = await queue.deleteBatch(receipts);
  const failed = results.filter((code) => code !== undefined);
  const [code] = failed;
  if (code === undefined) return;
  throw new CliError(
    `${counted(failed.length, 'message')} of ${results.length} not deleted: ` +
      `${code}. ${ERRORS[code].advice}`,
    exitCodeOf(code, ERRORS[code].retryable),
  );
}

// delete

export function deleteCommand(program: Command, context: CliContext): void {
  serverCommand(program, 'delete', 'Delete messages that were received with --json.')
    .argument('<queue>')
    .argument('<receipt-handle...>')
    .action((queue: string, handles: string[], options: ServerOptions) =>
      withServer(options, async (server) => {
        for (let at = 0; at < handles.length; at += BATCH_ENTRIES_MAX) {
          await deleteAll(server.queue(queue), handles.slice(at, at + BATCH_ENTRIES_MAX));
        }
        if (options.json === true) await writeJson(context, { deleted: handles.length });
        else await writeLines(context, [`${counted(handles.length, 'message')} deleted.`]);
      }),
    );
}

// peek

interface PeekOptions extends ServerOptions {
  readonly max: string;
}

export function peekCommand(program: Command, context: CliContext): void {
  serverCommand(program, 'peek', 'Look at the oldest messages, without receiving them.')
    .argument('<queue>')
    .option('--max <count>', 'at most so many', '10')
    .action((queue: string, options: PeekOptions) =>
      withServer(options, async (server) => {
        const max = parseCount(options.max, '--max', 1, BATCH_ENTRIES_MAX);
        const messages = await server.queue(queue).peek(max);
        if (options.json === true) {
          for (const message of messages) await writeJson(context, messageJson(message));
          return;
        }
        const columns = peekColumns(Date.now());
        await writeLines(context, formatTable(columns, messages, columnsOf(context.stdout)));
      }),
    );
}

function peekColumns(now: number): Column<Message>[] {
  return [
    { title: 'AGE', align: 'right', cell: (message) => ageOf(message, now) },
    { title: 'RECEIVES', align: 'right', cell: ({ receiveCount }) => String(receiveCount) },
    { title: 'GROUP', cell: ({ groupId }) => groupId ?? '-' },
    { title: 'SIZE', align: 'right', cell: ({ body }) => formatBytes(body.length) },
    { title: 'BODY', cell: bodyPreview },
  ];
}
