/* The whole server, from its options to its last breath. Runs on the main thread.
 *
 * Stopping is a courtesy to clients, not to the data: whatever was acknowledged is in the log, and
 * a server that was killed comes up with the same. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endEarlyThreads } from '../base/early-threads.ts';
import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Broker } from '../broker/broker.ts';
import { claimPort, Doors } from '../door/doors.ts';
import { type CliContext, CliError } from './command.ts';
import { openLog } from './log-output.ts';
import { counted } from './output.ts';
import type { ServeOptions } from './serve-options.ts';

const MIB = 1024 * 1024;
/** Requests that were begun when the server was told to stop have this long to be answered. */
const STOP_PATIENCE_MS = 10_000;

/** Serves until it is told to stop. */
export async function runServer(options: ServeOptions, context: CliContext): Promise<void> {
  const logger = openLog(options.logLevel, context.stderr.isTTY === true);
  const stop = stopAsked(context, logger);
  const port = await claim(options);
  const temporary = options.ephemeral ? mkdtempSync(path.join(tmpdir(), 'capstan-')) : undefined;
  const data = temporary ?? options.data;
  try {
    await run({ ...options, port, data }, context, logger, stop);
  } finally {
    endEarlyThreads();
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    stop.forget();
  }
}

/** A port that somebody has is not the fault of the command line. */
async function claim({ host, port }: ServeOptions): Promise<number> {
  try {
    return await claimPort(host, port);
  } catch (error) {
    if (error instanceof BrokerError) throw new CliError(error.detail, 1, { cause: error });
    throw error;
  }
}

async function run(
  options: ServeOptions,
  context: CliContext,
  logger: Logger,
  stop: StopAsked,
): Promise<void> {
  const { host, port, data, partitions, durability, memory, ephemeral, publicUrl, strictWaits } =
    options;
  const { version } = context;
  const broker = await Broker.prepare({
    data,
    partitions,
    durability: ephemeral ? { mode: 'none' } : durability,
    memoryBytes: memory === undefined ? undefined : memory * MIB,
    remoteRouters: options.doors,
    strictWaits,
    logger,
  });
  let doors: Doors | undefined;
  try {
    const onGone = () => stop.ask('no door is left');
    // Partitions read their logs while the doors open.
    const started = broker.start();
    started.catch(() => {}); // It may fail before the doors are open; it is looked at after that.
    doors = await Doors.open({
      broker,
      count: options.doors,
      host,
      port,
      version,
      publicUrl,
      token: options.token,
      logger,
      onGone,
      onStuck: endAtOnce,
    });
    await Promise.race([started, stop.asked]);
    if (!stop.isAsked()) announce(options, context, broker, logger);
    const reason = await stop.asked;
    logger.info({ reason }, 'stopping');
    if (!stop.bySignal()) context.setExitCode(1);
  } finally {
    await doors?.close(STOP_PATIENCE_MS);
    await broker.close();
  }
  logger.info({}, 'stopped');
}

function announce(
  options: ServeOptions,
  context: CliContext,
  broker: Broker,
  logger: Logger,
): void {
  const { host, port, data, doors, ephemeral } = options;
  const { partitions, durability } = broker;
  const shown = host.includes(':') ? `[${host}]` : host;
  const url = `http://${shown}:${port}`;
  const kept = ephemeral ? 'temporary, gone when the server stops' : `durability ${durability}`;
  context.stdout.write(
    `${[
      `Capstan ${context.version} listens on ${url}`,
      `  data       ${data} (${kept})`,
      `  threads    ${counted(partitions, 'partition')}, ${counted(doors, 'door')}`,
      `  dashboard  ${url}/`,
      'Try it:',
      `  curl -X PUT ${url}/v1/queues/orders`,
      `  curl -d 'hello' ${url}/v1/queues/orders/messages`,
      `  curl -X POST '${url}/v1/queues/orders/receive?waitMs=1000'`,
    ].join('\n')}\n`,
  );
  const { version } = context;
  logger.info({ url, data, durability, partitions, doors, version }, 'serving');
}

/** Leaving by `exit` would end the doors' threads under their sockets, which aborts, or would wait
 *  for one that hangs. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

interface StopAsked {
  /** Resolves with the reason. */
  readonly asked: Promise<string>;
  ask(reason: string): void;
  isAsked(): boolean;
  bySignal(): boolean;
  forget(): void;
}

/** The first signal asks to stop; the second ends the process at once. */
function stopAsked(context: CliContext, logger: Logger): StopAsked {
  let ask!: (reason: string) => void;
  let isAsked = false;
  let signals = 0;
  const asked = new Promise<string>((resolve) => {
    ask = (reason) => {
      isAsked = true;
      resolve(reason);
    };
  });
  const forgetDefects = context.onDefect((error) => {
    // The doors' sockets are closed before the process ends, whatever it ends of.
    logger.error({ error }, 'an exception reached the top of the main thread');
    ask('a defect');
  });
  const forgetSignals = context.onStopSignal((signal) => {
    signals++;
    if (signals === 1) return ask(signal);
    logger.warn({ signal }, 'a second signal: ending at once');
    endAtOnce();
  });
  const forget = () => {
    forgetSignals();
    forgetDefects();
  };
  return { asked, ask, isAsked: () => isAsked, bySignal: () => signals > 0, forget };
}
