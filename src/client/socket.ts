/* The WebSocket under a connection: the global one in a browser, `ws` on Node. */

import { SOCKET_MESSAGE_BYTES_MAX } from '../wire/frame.ts';

/** What a socket tells. After `onClose` it says nothing more. */
export interface SocketEvents {
  onOpen(): void;
  /** One WebSocket message; the bytes are the receiver's to keep. */
  onMessage(bytes: Uint8Array): void;
  onClose(code: number, reason: string): void;
}

export interface ClientSocket {
  /** Bytes must not change until they have left. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code: number, reason: string): void;
  /** Ends it at once; `onClose` is still called. */
  terminate(): void;
}

export type OpenSocket = (url: string, events: SocketEvents) => Promise<ClientSocket>;

/** As much of a browser's WebSocket as is used here. */
interface BrowserSocket {
  binaryType: string;
  addEventListener(type: 'open', listener: () => void, options?: ListenerOptions): void;
  addEventListener(
    type: 'message',
    listener: (event: { readonly data: unknown }) => void,
    options?: ListenerOptions,
  ): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
    options?: ListenerOptions,
  ): void;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

interface ListenerOptions {
  readonly signal: AbortSignal;
}

/** Larger than what the server packs into one message. */
const INCOMING_BYTES_MAX = 4 * SOCKET_MESSAGE_BYTES_MAX;

function onNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

/** Resolves with a socket that is being opened. */
export const openSocket: OpenSocket = (url, events) =>
  onNode() ? openNodeSocket(url, events) : openBrowserSocket(url, events);

async function openNodeSocket(url: string, events: SocketEvents): Promise<ClientSocket> {
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: INCOMING_BYTES_MAX,
    // Masks keep scripts of a web page from forging what proxies would take for requests. A program
    // can write to a TCP socket whatever it wants, so here they would only cost time.
    generateMask: (mask) => mask.fill(0),
  });
  socket.binaryType = 'nodebuffer';
  socket.on('open', () => {
    events.onOpen();
  });
  socket.on('message', (data, isBinary) => {
    if (isBinary && data instanceof Uint8Array) events.onMessage(data);
  });
  let failure = '';
  // 'close' follows, and tells.
  socket.on('error', (error) => {
    failure = error.message;
  });
  socket.on('close', (code, reason) => {
    events.onClose(code, reason.length > 0 ? reason.toString('utf8') : failure);
  });
  return {
    send: (bytes) => socket.send(bytes),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}

async function openBrowserSocket(url: string, events: SocketEvents): Promise<ClientSocket> {
  const { WebSocket } = globalThis as unknown as {
    WebSocket: new (address: string) => BrowserSocket;
  };
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const listening = new AbortController();
  const { signal } = listening;
  socket.addEventListener('open', () => events.onOpen(), { signal });
  socket.addEventListener(
    'message',
    ({ data }) => {
      if (data instanceof ArrayBuffer) events.onMessage(new Uint8Array(data));
    },
    { signal },
  );
  socket.addEventListener('close', ({ code, reason }) => events.onClose(code, reason), { signal });
  return {
    send: (bytes) => socket.send(bytes),
    close: (code, reason) => socket.close(code, reason),
    // A browser's socket cannot be cut; it is let go, and its end is told here.
    terminate: () => {
      listening.abort();
      socket.close();
      events.onClose(1006, 'The connection did not answer.');
    },
  };
}
