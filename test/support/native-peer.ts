/* A session of the native protocol, and the other end of it in a test's hands. */

import { setImmediate as turn } from 'node:timers/promises';
import type { Session, SessionContext } from '../../src/door/socket/session.ts';
import { Session as SessionOf } from '../../src/door/socket/session.ts';
import { MemoryPeer } from './memory-sockets.ts';
import { type Frame, framesOf, message } from './native-frames.ts';

export class NativePeer {
  readonly received: unknown[][] = [];
  readonly peer: MemoryPeer;
  readonly session: Session;
  /** WebSocket messages that came, as they were. */
  readonly messages: Uint8Array[] = [];

  constructor(context: SessionContext) {
    this.peer = new MemoryPeer((bytes) => {
      this.messages.push(bytes);
      this.received.push(...framesOf(bytes));
    });
    this.session = new SessionOf(this.peer, context);
  }

  get closedWith(): { code: number; reason: string } | undefined {
    return this.peer.closedWith;
  }

  /** Sends one message; resolves when what it leads to at once has happened. */
  async send(...frames: Frame[]): Promise<void> {
    await this.sendBytes(message(...frames));
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    // What is lent is taken back.
    const lent = Uint8Array.from(bytes);
    this.session.onMessage(lent, true);
    lent.fill(0xee);
    await settle();
  }

  /** HELLO, and the handle 0 for a queue. */
  async greet(queue = 'orders'): Promise<void> {
    await this.send([1, 1, 1, null], [2, 0, queue]);
    this.received.length = 0;
  }

  /** Takes what came since the last look. */
  take(): unknown[][] {
    return this.received.splice(0);
  }

  close(): void {
    this.session.onClose();
  }
}

/** Lets everything happen that waits for nothing. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn();
}
