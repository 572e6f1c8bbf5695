/* `connect`: a remote broker. */

import { BrokerError } from '../base/errors.ts';
import { Broker } from './broker.ts';
import { RemoteTransport } from './remote-transport.ts';
import { openSocket } from './socket.ts';

export interface ConnectOptions {
  /** What the server was started with, if it was started with one. */
  readonly token?: string | undefined;
  /** How long the first connection may take, attempts and all; by default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a request may take, attempts and all; by default 30 s. A receive has its wait beside
   *  that. */
  readonly requestTimeoutMs?: number | undefined;
  /** The pause before the first attempt to connect again; it doubles with each; by default 100
   *  ms. */
  readonly reconnectBaseMs?: number | undefined;
  /** By default 10 s. */
  readonly reconnectMaxMs?: number | undefined;
  /** After so long a silence the server is asked whether it is there; by default 15 s. */
  readonly pingIntervalMs?: number | undefined;
  /** Requests that are not answered; when they hold more, calls wait. By default 16 MiB. */
  readonly bufferBytesMax?: number | undefined;
}

const DEFAULTS = {
  token: undefined,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  reconnectBaseMs: 100,
  reconnectMaxMs: 10_000,
  pingIntervalMs: 15_000,
  bufferBytesMax: 16 * 1024 * 1024,
};
const PATH = '/v1/ws';

/** Connects to the server at `address`, such as `ws://127.0.0.1:9324`. Rejects
 *  CAPSTAN_INVALID_ARGUMENT for what is no such address, CAPSTAN_CONNECTION_LOST when it cannot be
 *  reached in time, CAPSTAN_UNAUTHORIZED when it wants another token. Later the connection is made
 *  again whenever it is lost. */
export async function connect(address: string, options: ConnectOptions = {}): Promise<Broker> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const transport = new RemoteTransport({
    ...DEFAULTS,
    ...(Object.fromEntries(given) as Partial<typeof DEFAULTS>),
    url: urlOf(address),
    openSocket,
    random: Math.random,
  });
  await transport.open();
  return new Broker(transport);
}

/** With the protocol's path, unless the address has one. */
function urlOf(address: string): string {
  if (!/^(ws|http)s?:\/\//.test(address) || !URL.canParse(address)) {
    const detail = `"${address}" is no address of a server: write ws://HOST:PORT, or wss://.`;
    throw new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail);
  }
  return address.replace(/^((?:ws|http)s?:\/\/[^/?#]+)\/?$/, `$1${PATH}`);
}
