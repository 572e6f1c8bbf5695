/* `capstan consume --exec`: runs a command for each message, with the body as its input. A message
 * is deleted when its command exits with 0, and comes back later when it does not; while a command
 * runs, its message is kept hidden. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Command } from 'commander';
import { VISIBILITY_TIMEOUT_MS_MAX } from '../base/limits.ts';
import type { Consumer, Message, Queue } from '../client/index.ts';
import type { CliContext } from './command.ts';
import { usageError } from './exit-codes.ts';
import { messageJson } from './message-output.ts';
import { writeJson } from './output.ts';
import { type ServerOptions, serverCommand, withServer } from './server.ts';
import { formatCount, parseCount, parseDurationMs } from './units.ts';

const CONCURRENCY_MAX = 1000;
const MESSAGES_MAX = 1_000_000_000;

interface ConsumeOptions extends ServerOptions {
  readonly exec: string;
  readonly concurrency: string;
  readonly max?: string;
  readonly idle?: string;
  readonly retryDelay?: string;
}

export function consumeCommand(program: Command, context: CliContext): void {
  serverCommand(program, 'consume', 'Run a command for each message, as they come.')
    .argument('<queue>')
    .requiredOption('--exec <command>', 'for the shell; the message is its input')
    .option('--concurrency <count>', 'commands that run at the same time', '1')
    .option('--max <count>', 'ends after so many messages')
    .option('--idle <time>', 'ends when no message came for so long')
    .option('--retry-delay <time>', 'after a failure (default: from 1s, doubled up to 5m)')
    .addHelpText(
      'after',
      `
A message is deleted when its command exits with 0; else it comes back. The command finds
CAPSTAN_QUEUE, CAPSTAN_MESSAGE_ID, CAPSTAN_RECEIVE_COUNT, CAPSTAN_GROUP_ID and CAPSTAN_SENT_AT_MS in
its environment. Ctrl-C lets the commands that run finish; a second one ends them.`,
    )
    .action((queue: string, options: ConsumeOptions) =>
      withServer(options, (server) =>
        new CommandConsumer(context, server.queue(queue), options).run(),
      ),
    );
}

class CommandConsumer {
  readonly #context: CliContext;
  readonly #queue: Queue;
  readonly #options: ConsumeOptions;
  readonly #max: number;
  readonly #idleMs: number | undefined;
  readonly #children = new Set<ChildProcess>();
  #begun = 0;
  #succeeded = 0;
  #failed = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #consumer: Consumer | undefined;

  constructor(context: CliContext, queue: Queue, options: ConsumeOptions) {
    const { max, idle } = options;
    this.#context = context;
    this.#queue = queue;
    this.#options = options;
    this.#max = max === undefined ? Infinity : parseCount(max, '--max', 1, MESSAGES_MAX);
    this.#idleMs = idle === undefined ? undefined : parseDurationMs(idle, '--idle');
  }

  async run(): Promise<void> {
    const concurrency = parseCount(this.#options.concurrency, '--concurrency', 1, CONCURRENCY_MAX);
    const { retryDelay } = this.#options;
    const retryDelayMs =
      retryDelay === undefined ? undefined : parseDurationMs(retryDelay, '--retry-delay');
    if (retryDelayMs !== undefined && retryDelayMs > VISIBILITY_TIMEOUT_MS_MAX) {
      throw usageError('--retry-delay is 12h at most.');
    }
    const { stdout, stderr } = this.#context;
    for (const stream of new Set([stdout, stderr])) {
      // Each command that runs listens to it, once or twice.
      stream.setMaxListeners(stream.getMaxListeners() + 2 * concurrency);
    }
    let signals = 0;
    const removeListener = this.#context.onStopSignal(() => {
      if (signals++ === 0) void this.#consumer?.stop();
      else for (const child of this.#children) endGroup(child);
    });
    this.#consumer = this.#queue.consume((message) => this.#handle(message), {
      concurrency,
      // What is not begun is better off with other consumers.
      prefetch: concurrency,
      retryDelayMs,
      onError: (error, message) => this.#tell(error, message),
    });
    this.#watchIdleness();
    try {
      await this.#consumer.finished;
    } finally {
      clearTimeout(this.#idleTimer);
      removeListener();
    }
    await this.#report();
  }

  async #handle(message: Message): Promise<void> {
    this.#begun++;
    if (this.#begun === this.#max) void this.#consumer?.stop();
    clearTimeout(this.#idleTimer);
    try {
      await this.#exec(message);
      this.#succeeded++;
      if (this.#options.json === true) await writeJson(this.#context, messageJson(message));
    } catch (error) {
      this.#failed++;
      throw error;
    } finally {
      if (this.#children.size === 0) this.#watchIdleness();
    }
  }

  #watchIdleness(): void {
    if (this.#idleMs === undefined) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.#consumer?.stop(), this.#idleMs);
  }

  #exec(message: Message): Promise<void> {
    const { stdout, stderr } = this.#context;
    const child = spawn('/bin/sh', ['-c', this.#options.exec], {
      // A group of its own: what ends this command at a terminal is not meant for it.
      detached: true,
      env: { ...this.#context.env, ...environmentOf(message) },
    });
    this.#children.add(child);
    // Its results are the command's, unless results are JSON.
    child.stdout.pipe(this.#options.json === true ? stderr : stdout, { end: false });
    child.stderr.pipe(stderr, { end: false });
    return new Promise<void>((resolve, reject) => {
      child.stdin.on('error', (error: NodeJS.ErrnoException) => {
        // A command need not read its input.
        if (error.code !== 'EPIPE') reject(error);
      });
      child.stdin.end(message.body);
      child.on('error', reject);
      child.on('close', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(signal === null ? `exit code ${code}` : `ended by ${signal}`));
      });
    }).finally(() => this.#children.delete(child));
  }

  #tell(error: unknown, { messageId, receiveCount }: Message): void {
    const reason = error instanceof Error ? error.message : String(error);
    const which = `message ${messageId}, receive ${receiveCount}`;
    this.#context.stderr.write(`${which}: ${reason}; it will come back\n`);
  }

  async #report(): Promise<void> {
    const handled = `${formatCount(this.#succeeded)} handled`;
    const failed = this.#failed === 0 ? '' : `, ${formatCount(this.#failed)} failed`;
    this.#context.stderr.write(`${handled}${failed}.\n`);
  }
}

function environmentOf(message: Message): Record<string, string> {
  const { groupId } = message;
  return {
    CAPSTAN_QUEUE: message.queue.name,
    CAPSTAN_MESSAGE_ID: message.messageId,
    CAPSTAN_RECEIVE_COUNT: String(message.receiveCount),
    CAPSTAN_SENT_AT_MS: String(message.sentAtMs),
    ...(groupId === undefined ? {} : { CAPSTAN_GROUP_ID: groupId }),
  };
}

/** Ends a command and what it has started. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!gone) throw error;
  }
}
