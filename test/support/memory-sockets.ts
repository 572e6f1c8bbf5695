/* Connections in memory: sessions of the native protocol on one end, a client's sockets on the
 * other. Every message crosses over in a turn of its own, as a copy. */

import { SILENT_LOGGER } from '../../src/base/logger.ts';
import type { NativeService } from '../../src/broker/native-service.ts';
import type { ClientSocket, OpenSocket } from '../../src/client/socket.ts';
import { HANDLERS } from '../../src/door/socket/handlers.ts';
import type { SendStatus, SocketPeer } from '../../src/door/socket/peer.ts';
import { Session, SessionContext } from '../../src/door/socket/session.ts';

/** The server's end of a connection. What it sends is kept in `outgoing` while `blocked`. */
export class MemoryPeer implements SocketPeer {
  bufferedBytes = 0;
  blocked = false;
  closedWith: { code: number; reason: string } | undefined;
  readonly outgoing: Uint8Array[] = [];
  readonly #deliver: (bytes: Uint8Array) => void;
  readonly #onClose: (code: number, reason: string) => void;

  constructor(
    deliver: (bytes: Uint8Array) => void,
    onClose: (code: number, reason: string) => void = () => undefined,
  ) {
    this.#deliver = deliver;
    this.#onClose = onClose;
  }

  send(bytes: Uint8Array): SendStatus {
    const copy = Buffer.from(bytes);
    if (this.blocked) {
      this.outgoing.push(copy);
      this.bufferedBytes += copy.length;
      return 'backpressure';
    }
    this.#deliver(copy);
    return 'sent';
  }

  close(code: number, reason: string): void {
    this.closedWith ??= { code, reason };
    this.#onClose(code, reason);
  }

  /** Lets go what was kept; the caller tells the session. */
  unblock(): void {
    this.blocked = false;
    for (const bytes of this.outgoing.splice(0)) this.#deliver(bytes);
    this.bufferedBytes = 0;
  }
}

/** A server in memory; `openSocket` is how a client reaches it. */
export class MemoryServer {
  readonly context: SessionContext;
  /** One per connection, the newest last. */
  readonly links: MemoryLink[] = [];
  /** Connections are refused. */
  down = false;
  /** Sees every message that a client sends; false: it is lost. */
  onRequest: (bytes: Uint8Array) => boolean = () => true;
  /** Sees every message for a client; false: it is lost. */
  onAnswer: (bytes: Uint8Array) => boolean = () => true;

  constructor(service: NativeService, token?: string) {
    this.context = new SessionContext({
      service,
      token,
      handlers: HANDLERS,
      logger: SILENT_LOGGER,
    });
  }

  get link(): MemoryLink {
    return this.links.at(-1)!;
  }

  readonly openSocket: OpenSocket = async (_, events) => {
    const link = new MemoryLink(this, events);
    if (this.down) {
      setImmediate(() => events.onClose(1006, 'refused'));
    } else {
      link.open();
      this.links.push(link);
      setImmediate(() => events.onOpen());
    }
    return link;
  };
}

type Events = Parameters<OpenSocket>[1];

export class MemoryLink implements ClientSocket {
  session: Session | undefined;
  peer: MemoryPeer | undefined;
  readonly #server: MemoryServer;
  readonly #events: Events;
  #closed = false;

  constructor(server: MemoryServer, events: Events) {
    this.#server = server;
    this.#events = events;
  }

  open(): void {
    this.peer = new MemoryPeer(
      (bytes) => {
        if (!this.#server.onAnswer(bytes)) return;
        setImmediate(() => {
          if (!this.#closed) this.#events.onMessage(bytes);
        });
      },
      (code, reason) => this.#end(code, reason),
    );
    this.session = new Session(this.peer, this.#server.context);
  }

  send(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    setImmediate(() => {
      if (this.#closed || !this.#server.onRequest(copy)) return;
      this.session!.onMessage(copy, true);
      // As µWS does it: what was lent is gone.
      copy.fill(0xee);
    });
  }

  close(code: number, reason: string): void {
    this.#end(code, reason);
  }

  terminate(): void {
    this.cut();
  }

  /** The connection breaks. */
  cut(): void {
    this.#end(1006, 'cut');
  }

  #end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    setImmediate(() => {
      this.session?.onClose();
      this.#events.onClose(code, reason);
    });
  }
}
