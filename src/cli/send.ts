/* `capstan send`: the arguments, files, or the lines of the input, each as one message. */

import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { ERRORS, type ErrorCode } from '../base/errors.ts';
import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, MESSAGE_BYTES_MAX } from '../base/limits.ts';
import type { MessageInput, Queue, SendResult } from '../client/index.ts';
import { type CliContext, CliError } from './command.ts';
import { exitCodeOf, usageError } from './exit-codes.ts';
import { batchesOf, linesOf } from './lines.ts';
import { writeJson, writeLines } from './output.ts';
import { Progress } from './progress.ts';
import { keyAndValue } from './queue-options.ts';
import { type ServerOptions, serverCommand, withServer } from './server.ts';
import { formatCount, parseDurationMs } from './units.ts';

/** Of a standard queue; a FIFO queue's wait for each other, which keeps their order also where one
 *  has to be sent anew. */
const BATCHES_IN_FLIGHT_MAX = 4;
/** Half of what is allowed: attributes and overhead are not weighed. */
const BATCH_WEIGHT_MAX = BATCH_BYTES_MAX / 2;
const ENTRY_WEIGHT = 64;
/** Somebody who types lines sees each one go. */
const PATIENCE_MS = 20;
/** So many refusals are told one by one. */
const REFUSALS_SHOWN_MAX = 10;

interface SendOptions extends ServerOptions {
  readonly file?: readonly string[];
  readonly group?: string;
  readonly deduplicationId?: string;
  readonly delay?: string;
  readonly attribute?: readonly string[];
}

export function sendCommand(program: Command, context: CliContext): void {
  serverCommand(program, 'send', 'Send messages: the arguments, files, or the lines of the input.')
    .argument('<queue>')
    .argument('[body...]', 'a message each; without any, the lines of the input are sent')
    .option('--file <path...>', 'a message per file, with its bytes')
    .option('--group <id>', 'messages of one group keep their order (FIFO)')
    .option('--deduplication-id <id>', 'of a single message: sent again, it is stored once')
    .option('--delay <time>', 'hidden for so long')
    .option('--attribute <key=value...>', 'message attributes')
    .action((queue: string, bodies: string[], options: SendOptions) =>
      withServer(options, (server) => send(context, server.queue(queue), bodies, options)),
    );
}

async function send(
  context: CliContext,
  queue: Queue,
  bodies: readonly string[],
  options: SendOptions,
): Promise<void> {
  const single = bodies.length + (options.file?.length ?? 0) === 1;
  if (options.deduplicationId !== undefined && !single) {
    throw usageError('--deduplication-id is for a single message.');
  }
  const attributes = (await queue.describe())?.attributes;
  const fifo = attributes?.fifo === true;
  const common = commonOf(options);
  const input = (body: string | Uint8Array): MessageInput => ({
    ...common,
    body,
    ...(fifo && !attributes.contentBasedDeduplication && common.deduplicationId === undefined
      ? { deduplicationId: randomUUID() }
      : {}),
  });
  const sender = new Sender(context, queue, options.json === true, fifo);
  await sender.sendAll(bodiesOf(context, bodies, options), input);
  await sender.report();
}

function commonOf(options: SendOptions): Omit<MessageInput, 'body'> {
  const { group, deduplicationId, delay, attribute } = options;
  return {
    groupId: group,
    deduplicationId,
    delayMs: delay === undefined ? undefined : parseDurationMs(delay, '--delay'),
    attributes:
      attribute === undefined
        ? undefined
        : Object.fromEntries(attribute.map((text) => keyAndValue(text, '--attribute'))),
  };
}

async function* bodiesOf(
  { stdin, stderr }: CliContext,
  bodies: readonly string[],
  { file: files = [] }: SendOptions,
): AsyncGenerator<string | Uint8Array> {
  yield* bodies;
  for (const path of files) yield await fileBody(path);
  if (bodies.length > 0 || files.length > 0) return;
  if (stdin.isTTY === true) stderr.write('A message per line; Ctrl-D ends.\n');
  const tooLong = (line: number): never => {
    throw usageError(`Line ${line} has more than ${formatCount(MESSAGE_BYTES_MAX)} bytes.`);
  };
  for await (const line of linesOf(stdin, MESSAGE_BYTES_MAX, tooLong)) {
    // A message has a body.
    if (line.length > 0) yield line;
  }
}

async function fileBody(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size === 0 || size > MESSAGE_BYTES_MAX) {
      const allowed = `1 to ${formatCount(MESSAGE_BYTES_MAX)}`;
      throw usageError(`${path} has ${formatCount(size)} bytes; a message has ${allowed}.`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(`${path} cannot be read: ${reason}`, undefined, { cause: error });
  }
}

/** Keeps some batches under way, counts what becomes of them, and tells. */
class Sender {
  readonly #context: CliContext;
  readonly #queue: Queue;
  readonly #json: boolean;
  readonly #inFlightMax: number;
  readonly #progress: Progress;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: unknown;
  #position = 0;
  #sent = 0;
  readonly #refused: { readonly position: number; readonly code: ErrorCode }[] = [];

  constructor(context: CliContext, queue: Queue, json: boolean, fifo: boolean) {
    this.#context = context;
    this.#queue = queue;
    this.#json = json;
    this.#inFlightMax = fifo ? 1 : BATCHES_IN_FLIGHT_MAX;
    this.#progress = new Progress(context.stderr, 'sent');
  }

  async sendAll(
    bodies: AsyncIterable<string | Uint8Array>,
    input: (body: string | Uint8Array) => MessageInput,
  ): Promise<void> {
    const weigh = (body: string | Uint8Array): number => Buffer.byteLength(body) + ENTRY_WEIGHT;
    const limits = {
      countMax: BATCH_ENTRIES_MAX,
      weightMax: BATCH_WEIGHT_MAX,
      patienceMs: PATIENCE_MS,
    };
    try {
      for await (const batch of batchesOf(bodies, weigh, limits)) {
        while (this.#inFlight.size >= this.#inFlightMax) await Promise.race(this.#inFlight);
        if (this.#failure !== undefined) break;
        this.#begin(batch.map(input));
      }
    } catch (error) {
      // Input that was let go after a failure ends with an error of its own.
      this.#fail(error);
    } finally {
      await Promise.all(this.#inFlight);
      this.#progress.end();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #begin(messages: readonly MessageInput[]): void {
    const position = this.#position;
    this.#position += messages.length;
    const batch = this.#queue.sendBatch(messages).then(
      (results) => this.#note(position, results),
      (error: unknown) => this.#fail(error),
    );
    const tracked = batch.finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
  }

  /** Nothing more is sent; whoever writes the input is not waited for. */
  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#context.stdin.destroy();
  }

  async #note(position: number, results: readonly SendResult[]): Promise<void> {
    for (const [index, { error }] of results.entries()) {
      if (error === undefined) this.#sent++;
      else this.#refused.push({ position: position + index + 1, code: error });
    }
    this.#progress.set(this.#sent);
    if (!this.#json) return;
    for (const { error, messageId, sequenceNumber } of results) {
      await writeJson(
        this.#context,
        error === undefined ? { messageId, sequenceNumber } : { error },
      );
    }
  }

  async report(): Promise<void> {
    const refused = this.#refused.toSorted((a, b) => a.position - b.position);
    if (!this.#json) {
      const sent = this.#sent === 1 ? '1 message' : `${formatCount(this.#sent)} messages`;
      await writeLines(this.#context, [`${sent} sent to ${this.#queue.name}.`]);
    }
    if (refused.length === 0) return;
    const shown = refused.slice(0, REFUSALS_SHOWN_MAX);
    const lines = shown.map(
      ({ position, code }) => `  message ${formatCount(position)}: ${code}. ${ERRORS[code].advice}`,
    );
    if (shown.length < refused.length) lines.push(`  and ${refused.length - shown.length} more`);
    const { code } = refused[0]!;
    throw new CliError(
      `${formatCount(refused.length)} of ${formatCount(this.#position)} were not accepted:\n` +
        lines.join('\n'),
      exitCodeOf(code, ERRORS[code].retryable),
    );
  }
}
