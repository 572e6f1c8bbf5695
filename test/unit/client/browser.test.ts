/* The client's entry in a browser: what it loads, and that it works on a browser's WebSocket. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { openSocket } from '../../../src/client/socket.ts';
import { filesUnder, importGraph, reachableFrom, read } from '../../support/source-tree.ts';

const GRAPH = importGraph(filesUnder('src', '.ts'));
const LOADED = [...reachableFrom(['src/client/index.ts'], GRAPH, false)];

afterEach(() => vi.unstubAllGlobals());

describe('what a browser loads with the client', () => {
  it('is free of Node but for `ws`, which is loaded late', () => {
    for (const file of LOADED) {
      const packages = GRAPH.get(file)!.filter((each) => each.file === undefined);
      const names = packages.map(({ specifier }) => specifier);
      expect(
        names.filter((name) => name !== '@msgpack/msgpack' && name !== 'ws'),
        file,
      ).toEqual([]);
    }
    const users = LOADED.filter((file) => /from 'ws'/.test(read(file)));
    expect(users).toEqual([]);
    expect(read('src/client/socket.ts')).toContain("await import('ws')");
  });

  it('names no global of Node outside of functions that only a server calls', () => {
    const users = LOADED.filter((file) =>
      /\b(Buffer\.|process\.\w|setImmediate\()/.test(read(file)),
    );
    // Entries are encoded by routers, with the fastest that Node has; the client has its own.
    expect(users.toSorted()).toEqual(['src/base/bytes.ts', 'src/command/message-entry.ts']);
  });
});

class FakeWebSocket extends EventTarget {
  static last: FakeWebSocket;
  binaryType = 'blob';
  readonly sent: unknown[] = [];
  readonly url: string;

  constructor(url: string) {
    super();
    this.url = url;
    FakeWebSocket.last = this;
  }

  send(bytes: unknown): void {
    this.sent.push(bytes);
  }

  close(): void {
    this.dispatchEvent(Object.assign(new Event('close'), { code: 1000, reason: 'closed' }));
  }
}

describe("a browser's WebSocket", () => {
  it('carries bytes both ways, and tells its end once', async () => {
    vi.stubGlobal('process', undefined);
    vi.stubGlobal('WebSocket', FakeWebSocket);
    const events: unknown[] = [];
    const socket = await openSocket('ws://host', {
      onOpen: () => events.push('open'),
      onMessage: (bytes) => events.push([...bytes]),
      onClose: (code, reason) => events.push([code, reason]),
    });
    const under = FakeWebSocket.last;
    expect([under.url, under.binaryType]).toEqual(['ws://host', 'arraybuffer']);
    under.dispatchEvent(new Event('open'));
    const data = Uint8Array.of(1, 2).buffer;
    under.dispatchEvent(Object.assign(new Event('message'), { data }));
    under.dispatchEvent(Object.assign(new Event('message'), { data: 'text' }));
    socket.send(Uint8Array.of(3));
    expect(under.sent).toEqual([Uint8Array.of(3)]);
    socket.terminate();
    expect(events).toEqual(['open', [1, 2], [1006, expect.any(String)]]);
  });
});
