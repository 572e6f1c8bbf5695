/* The way from a subcommand to the server: a connection for as long as the command runs, and the
 * options that every such subcommand has. */

import { type Command, Option } from 'commander';
import { BrokerError } from '../base/errors.ts';
import { type Broker, connect } from '../client/index.ts';
import { CliError } from './command.ts';
import { asCliError, EXIT_UNREACHABLE } from './exit-codes.ts';

const SERVER_URL_DEFAULT = 'ws://127.0.0.1:9324';
/** A server that is there answers within this; one that is not is not waited for. */
const CONNECT_TIMEOUT_MS = 2_000;

export interface ServerOptions {
  readonly url: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** Begins a subcommand that speaks to a server. */
export function serverCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .addOption(
      new Option('--url <url>', 'the server').env('CAPSTAN_URL').default(SERVER_URL_DEFAULT),
    )
    .addOption(new Option('--token <text>', 'the secret it asks for').env('CAPSTAN_TOKEN'))
    .option('--json', 'JSON for programs: an object per line');
}

/** Connects, lets `use` do its work, and closes. Rejects with a `CliError` for what the server says
 *  and for a server that is not there. */
export async function withServer<Result>(
  options: ServerOptions,
  use: (server: Broker) => Promise<Result>,
): Promise<Result> {
  const server = await reach(options);
  try {
    return await use(server);
  } catch (error) {
    throw asCliError(error);
  } finally {
    await server.close();
  }
}

async function reach({ url, token }: ServerOptions): Promise<Broker> {
  try {
    return await connect(webSocketUrl(url), { token, connectTimeoutMs: CONNECT_TIMEOUT_MS });
  } catch (error) {
    const reason = error instanceof BrokerError ? error.detail : String(error);
    throw new CliError(
      `No server at ${url}: ${reason} Start one with "capstan serve", or name another with --url ` +
        'or CAPSTAN_URL.',
      EXIT_UNREACHABLE,
      { cause: error },
    );
  }
}

/** Where the same server answers plain HTTP. */
export function httpUrl(url: string): string {
  return new URL(webSocketUrl(url).replace(/^ws/, 'http')).origin;
}

/** `http://` and a bare host and port are as good as `ws://`: it is one server. */
export function webSocketUrl(url: string): string {
  const full = /^[a-z]+:\/\//.test(url) ? url : `ws://${url}`;
  return full.replace(/^http/, 'ws');
}
