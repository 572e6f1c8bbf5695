/* The other end of a connection, as a session sees it: an adapter to a real WebSocket, or a
 * test. */

export type SendStatus = 'sent' | 'backpressure' | 'dropped';

export interface SocketPeer {
  /** One WebSocket message; `bytes` are lent for the length of the call. */
  send(bytes: Uint8Array): SendStatus;
  close(code: number, reason: string): void;
  /** Bytes that were sent and have not left yet. */
  readonly bufferedBytes: number;
}
