/* The HTTP and WebSocket server of one door, on µWebSockets. It owns the sockets of its thread: a
 * thread that ends while its sockets are open takes the whole process with it, so `close` leaves
 * none open, idle ones and WebSockets included.
 *
 * Several servers, each on a thread of its own, listen on the same port; the kernel spreads the
 * connections over them. That also lets a second process bind the port: whoever starts the doors
 * makes sure that nobody else has it. */

import uws from 'uWebSockets.js';
import { BrokerError } from '../base/errors.ts';
import {
  DOOR_ANSWER_BYTES_MAX,
  DOOR_REQUEST_BYTES_MAX,
  HTTP_BODY_BYTES_MAX,
} from '../base/limits.ts';
import type { Logger } from '../base/logger.ts';
import { ByteBudget } from './byte-budget.ts';
import { Exchange, type ExchangeContext } from './exchange.ts';
import type { HttpProtocol, HttpRequest } from './http.ts';
import type { SocketProtocol } from './socket-protocol.ts';

const { _cfg: configure } = uws;

/** Exchanges kept for use again. */
const POOL_MAX = 1024;
/** How often a closing server looks whether its requests are answered. */
const DRAIN_INTERVAL_MS = 5;

/** Closes every socket of the app; there, but missing in this build's types. */
interface ClosableApp extends uws.TemplatedApp {
  close(): void;
}

export interface ServerOptions {
  /** Chooses by the head of a request; the body is still to come. */
  readonly protocolOf: (request: HttpRequest) => HttpProtocol;
  readonly socket?: SocketProtocol | undefined;
  readonly logger: Logger;
  /** Default: HTTP_BODY_BYTES_MAX. */
  readonly bodyBytesMax?: number | undefined;
}

export class UwsServer {
  readonly #app: ClosableApp;
  readonly #options: ServerOptions;
  readonly #context: ExchangeContext;
  readonly #pool: Exchange[] = [];
  #inFlight = 0;
  #closing = false;
  #listening: uws.us_listen_socket | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    const { logger, protocolOf } = options;
    this.#context = {
      bodyBytesMax: options.bodyBytesMax ?? HTTP_BODY_BYTES_MAX,
      requestBudget: new ByteBudget(DOOR_REQUEST_BYTES_MAX),
      answerBudget: new ByteBudget(DOOR_ANSWER_BYTES_MAX),
      logger,
      protocolOf,
      isClosing: () => this.#closing,
      onDone: (exchange) => {
        this.#inFlight--;
        if (this.#pool.length < POOL_MAX) this.#pool.push(exchange);
      },
    };
    configure('silent'); // No header that names the server's parts.
    this.#app = uws.App() as ClosableApp;
    const { socket } = options;
    if (socket !== undefined) this.#app.ws(socket.path, socket.behavior);
    this.#app.post('/*', (response, request) => this.#take(response, request, 'POST'));
    this.#app.get('/*', (response, request) => this.#take(response, request, 'GET'));
    this.#app.any('/*', (response, request) =>
      this.#take(response, request, request.getMethod().toUpperCase()),
    );
  }

  #take(response: uws.HttpResponse, request: uws.HttpRequest, method: string): void {
    this.#inFlight++;
    const exchange = this.#pool.pop() ?? new Exchange(this.#context);
    try {
      exchange.begin(response, request, method);
    } catch (error) {
      this.#options.logger.error({ error }, 'a request cannot be taken up');
      response.close();
    }
  }

  /** Requests that are not answered yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bytes of request bodies that are held at the moment. */
  get heldBytes(): number {
    return this.#context.requestBudget.used + this.#context.answerBudget.used;
  }

  /** Resolves with the port.
   *  @param port 0: any that is free. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#app.listen(host, port, (listening) => {
        if (listening) {
          this.#listening = listening;
          resolve(uws.us_socket_local_port(listening));
        } else {
          const detail = `Nothing can listen on ${host}, port ${port}.`;
          reject(new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail));
        }
      });
    });
  }

  /** Takes no more connections, gives requests and WebSockets until `patienceMs` to finish, then
   *  closes every socket. Whoever lets requests wait ends those waits before. */
  async close(patienceMs: number): Promise<void> {
    this.#closing = true;
    const until = performance.now() + patienceMs;
    if (this.#listening !== undefined) {
      uws.us_listen_socket_close(this.#listening);
      this.#listening = undefined;
    }
    await this.#options.socket?.close(patienceMs);
    while (this.#inFlight > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_INTERVAL_MS));
    }
    this.#app.close();
  }
  /** Closes every socket at once. The thread is to be ended in the middle of whatever it does. */
  abandon(): void {
    this.#closing = true;
    this.#app.close();
  }
}
