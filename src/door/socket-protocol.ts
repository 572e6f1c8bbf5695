/* What a WebSocket protocol gives to the server that carries it. `createSocketProtocol` of
 * src/door/socket makes one per door thread. */

import type { WebSocketBehavior } from 'uWebSockets.js';

export interface SocketProtocol {
  /** The path at which a connection is upgraded. */
  readonly path: string;
  /** Its callbacks never throw: an exception of a callback ends the thread. */
  readonly behavior: WebSocketBehavior<unknown>;
  /** The door closes: no connection is taken any longer, those that are open answer what they were
   *  asked, say goodbye and close. Resolves when none is open, or after `patienceMs`; whatever is
   *  open then is cut by the server. Never rejects. */
  close(patienceMs: number): Promise<void>;
}
