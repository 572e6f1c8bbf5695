/* Sessions over µWebSockets: the behavior that a door mounts at `/v1/ws`. Runs on a door's thread.
 * No exception leaves a handler: one that did would end the whole process. */

import type {
  HttpRequest,
  HttpResponse,
  us_socket_context_t,
  WebSocket,
  WebSocketBehavior,
} from 'uWebSockets.js';
import type { Logger } from '../../base/logger.ts';
import type { NativeService } from '../../broker/native-service.ts';
import { CLOSE, SOCKET_MESSAGE_BYTES_MAX } from '../../wire/frame.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { SocketProtocol } from '../socket-protocol.ts';
import { HANDLERS } from './handlers.ts';
import type { SendStatus, SocketPeer } from './peer.ts';
import { BUFFERED_BYTES_MAX } from './room.ts';
import { Session, SessionContext } from './session.ts';

export const SOCKET_PATH = '/v1/ws';
/** How often a closing door looks whether its requests are answered. */
const DRAIN_INTERVAL_MS = 5;
/** Neither end has said anything for so long: the connection is closed. */
const IDLE_SECONDS_MAX = 60;
/** Indexed by what µWS returns from `send`. */
const STATUSES: readonly SendStatus[] = ['backpressure', 'sent', 'dropped'];

export interface SocketProtocolOptions {
  readonly service: NativeService;
  /** What a HELLO must bring; undefined: anything goes. */
  readonly token?: string | undefined;
  readonly logger: Logger;
  readonly counters?: DoorCounters | undefined;
}

interface Connection {
  session: Session | undefined;
}

class UwsPeer implements SocketPeer {
  readonly #socket: WebSocket<Connection>;

  constructor(socket: WebSocket<Connection>) {
    this.#socket = socket;
  }

  send(bytes: Uint8Array): SendStatus {
    return STATUSES[this.#socket.send(bytes, true, false)] ?? 'dropped';
  }

  close(code: number, reason: string): void {
    this.#socket.end(code, reason);
  }

  get bufferedBytes(): number {
    return this.#socket.getBufferedAmount();
  }
}

export function createSocketProtocol(options: SocketProtocolOptions): SocketProtocol {
  const context = new SessionContext({ ...options, handlers: HANDLERS });
  const sessions = new Set<Session>();
  let closing = false;
  const anyPending = () => Array.from(sessions).some((session) => session.pendingCount > 0);
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      options.logger.error({ error }, 'a WebSocket handler failed');
    }
  };
  const behavior: WebSocketBehavior<Connection> = {
    maxPayloadLength: SOCKET_MESSAGE_BYTES_MAX,
    maxBackpressure: 2 * BUFFERED_BYTES_MAX,
    idleTimeout: IDLE_SECONDS_MAX,
    sendPingsAutomatically: true,
    upgrade: (response, request, socketContext) => {
      guarded(() => {
        if (closing) response.writeStatus('503 Service Unavailable').end('The server stops.');
        else upgrade(response, request, socketContext, options.token !== undefined);
      });
    },
    open: (socket) => {
      guarded(() => {
        const session = new Session(new UwsPeer(socket), context);
        socket.getUserData().session = session;
        sessions.add(session);
      });
    },
    message: (socket, message, isBinary) => {
      guarded(() => socket.getUserData().session?.onMessage(new Uint8Array(message), isBinary));
    },
    drain: (socket) => {
      guarded(() => socket.getUserData().session?.onDrain());
    },
    close: (socket) => {
      guarded(() => {
        const { session } = socket.getUserData();
        if (session === undefined) return;
        sessions.delete(session);
        session.onClose();
      });
    },
  };
  return {
    path: SOCKET_PATH,
    behavior: behavior as WebSocketBehavior<unknown>,
    async close(patienceMs) {
      closing = true;
      for (const session of sessions) session.endWaits();
      const until = performance.now() + patienceMs;
      while (performance.now() < until && anyPending()) {
        await new Promise((resolve) => setTimeout(resolve, DRAIN_INTERVAL_MS));
      }
      for (const session of sessions) session.close(CLOSE.GOING_AWAY, 'The server stops.');
    },
  };
}

/** Lets a request become a WebSocket. A page of another site may not, for it would speak with the
 *  rights of whoever looks at it; where a token is asked for, that token decides. */
function upgrade(
  response: HttpResponse,
  request: HttpRequest,
  context: us_socket_context_t,
  tokenDecides: boolean,
): void {
  const origin = request.getHeader('origin');
  if (origin !== '' && !tokenDecides && !isSameHost(origin, request.getHeader('host'))) {
    response.writeStatus('403 Forbidden').end('This origin may not connect without a token.');
    return;
  }
  const connection: Connection = { session: undefined };
  response.upgrade(
    connection,
    request.getHeader('sec-websocket-key'),
    request.getHeader('sec-websocket-protocol'),
    request.getHeader('sec-websocket-extensions'),
    context,
  );
}

/** Whether both name the same host; ports may differ. */
export function isSameHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false;
  return new URL(origin).hostname === new URL(`http://${host}`).hostname;
}
