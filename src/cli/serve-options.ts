/* The options of `capstan serve`, each also a `CAPSTAN_*` variable. */

import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { halfOfTheCores } from '../base/cores.ts';
import { type Durability, parseDurability, SYNC_INTERVAL_MS_MAX } from '../base/durability.ts';
import { BrokerError } from '../base/errors.ts';
import { PARTITIONS_MAX, ROUTERS_MAX } from '../base/limits.ts';
import { LOG_LEVELS, type LogLevel } from './log-levels.ts';

const PORT_DEFAULT = 9324;
const PORT_MAX = 65_535;
const MEMORY_MIB_MAX = 1_048_576;
/** One router is the main thread's. */
const DOORS_MAX = ROUTERS_MAX - 1;

export interface ServeOptions {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly partitions: number | undefined;
  readonly doors: number;
  readonly durability: Durability | undefined;
  readonly publicUrl: string | undefined;
  readonly token: string | undefined;
  readonly strictWaits: boolean;
  /** In MiB. */
  readonly memory: number | undefined;
  readonly ephemeral: boolean;
  readonly logLevel: LogLevel;
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function durabilityOf(text: string): Durability {
  try {
    return parseDurability(text);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new InvalidArgumentError(error.detail);
  }
}

function urlOf(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('It must be a URL, like http://queues.example:9324.');
}

/** A flag as a variable has it: on unless it is empty or says no. */
export function isOn(text: string | undefined): boolean {
  return text !== undefined && !/^(|0|no|off|false)$/i.test(text);
}

export function addServeOptions(command: Command): Command {
  const rows = [
    new Option('-p, --port <port>', 'listen here; 0: any free port')
      .argParser(whole(0, PORT_MAX))
      .default(PORT_DEFAULT)
      .env('CAPSTAN_PORT'),
    new Option('--host <host>', 'the address to listen on; 0.0.0.0: all of this machine')
      .default('127.0.0.1')
      .env('CAPSTAN_HOST'),
    new Option('-d, --data <dir>', 'the data folder; made if it does not exist')
      .default('./data')
      .env('CAPSTAN_DATA'),
    new Option(
      '--partitions <count>',
      'lays an existing folder out anew (default: its own; half as many as cores in a new one)',
    )
      .argParser(whole(1, PARTITIONS_MAX))
      .env('CAPSTAN_PARTITIONS'),
    new Option('--doors <count>', 'threads that talk to clients')
      .argParser(whole(1, DOORS_MAX))
      .default(halfOfTheCores(DOORS_MAX), 'half as many as cores')
      .env('CAPSTAN_DOORS'),
    new Option('--durability <mode>', `fsync, interval:<ms, up to ${SYNC_INTERVAL_MS_MAX}> or none`)
      .argParser(durabilityOf)
      .default({ mode: 'fsync' } satisfies Durability, 'fsync')
      .env('CAPSTAN_DURABILITY'),
    new Option('--public-url <url>', 'what queue URLs begin with (default: as the client asked)')
      .argParser(urlOf)
      .env('CAPSTAN_PUBLIC_URL'),
    new Option('--token <text>', 'what clients of the native protocol must bring').env(
      'CAPSTAN_TOKEN',
    ),
    new Option('--strict-waits', 'wait 60 s after DeleteQueue and PurgeQueue, as SQS does').default(
      false,
      'env: CAPSTAN_STRICT_WAITS',
    ),
    new Option(
      '--memory <mib>',
      'MiB that the newest messages may take in memory (default: by the machine)',
    )
      .argParser(whole(1, MEMORY_MIB_MAX))
      .env('CAPSTAN_MEMORY'),
    new Option('--ephemeral', 'keep nothing: a folder that goes when the server does').default(
      false,
      'env: CAPSTAN_EPHEMERAL',
    ),
    new Option('--log-level <level>', 'what is logged to stderr')
      .choices(LOG_LEVELS)
      .default('info')
      .env('CAPSTAN_LOG_LEVEL'),
  ];
  for (const row of rows) command.addOption(row);
  return command;
}

/** What the command line and the environment come to. */
export function serveOptions(
  parsed: ServeOptions,
  env: Readonly<Record<string, string | undefined>>,
): ServeOptions {
  return {
    ...parsed,
    data: path.resolve(parsed.data),
    strictWaits: parsed.strictWaits || isOn(env['CAPSTAN_STRICT_WAITS']),
    ephemeral: parsed.ephemeral || isOn(env['CAPSTAN_EPHEMERAL']),
  };
}
