/* A router on a thread of its own, and the port between it and the broker on the main thread. The
 * port carries what is rare: partitions that come and go, changed definitions, calls to the
 * catalog. Messages never pass through it. */

import type { MessagePort } from 'node:worker_threads';
import { type ClockAnchor, steadyClock } from '../base/clock.ts';
import { BrokerError, type ErrorCode } from '../base/errors.ts';
import { type CatalogChange, Definitions } from '../catalog/definitions.ts';
import { Board, type BoardDescriptor } from '../command/board.ts';
import type { QueueDefinition } from '../command/queue-definition.ts';
import type { LinkDescriptor } from '../command/thread-protocol.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { CATALOG_METHODS, type CatalogCalls, type CatalogMethod } from './catalog-calls.ts';
import { ReceiptCodec } from './receipt-handle.ts';
import { Router } from './router.ts';

/** What a thread needs to have a router; a structured clone. */
export interface RouterStart {
  readonly router: number;
  /** How many threads have had this router before. */
  readonly life: number;
  readonly board: BoardDescriptor;
  readonly clock: ClockAnchor;
  readonly doorbell: SharedArrayBuffer;
  readonly secret: Uint8Array;
  readonly definitions: readonly QueueDefinition[];
  /** The partitions that run, by index. */
  readonly links: readonly (LinkDescriptor | undefined)[];
  readonly port: MessagePort;
}

/** An error as it crosses the port. */
interface ErrorClone {
  readonly code: ErrorCode;
  readonly detail: string;
}

export type ToRouter =
  | { readonly kind: 'attach'; readonly partition: number; readonly link: LinkDescriptor }
  | { readonly kind: 'detach'; readonly partition: number; readonly code: ErrorCode }
  | { readonly kind: 'change'; readonly id: number; readonly change: CatalogChange }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: ErrorClone };

export type FromRouter =
  | { readonly kind: 'changed'; readonly id: number }
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly method: CatalogMethod;
      readonly args: readonly unknown[];
    };

function toClone(error: unknown): ErrorClone {
  if (error instanceof BrokerError) return { code: error.code, detail: error.detail };
  return { code: 'CAPSTAN_INTERNAL', detail: error instanceof Error ? error.message : 'unknown' };
}

/** Makes the router of this thread. */
export function openRemoteRouter(start: RouterStart): Router {
  const definitions = new Definitions(start.definitions);
  const calls = new Map<number, (message: ToRouter) => void>();
  const { port } = start;
  const router = new Router({
    router: start.router,
    life: start.life,
    board: new Board(start.board),
    definitions,
    receipts: new ReceiptCodec(start.secret),
    clock: steadyClock(start.clock),
    doorbell: new Doorbell(start.doorbell),
    catalog: catalogOver(port, calls),
  });
  port.on('message', (message: ToRouter) => {
    switch (message.kind) {
      case 'attach':
        router.attach(message.partition, message.link);
        break;
      case 'detach':
        router.detach(message.partition, message.code);
        break;
      case 'change':
        definitions.apply(message.change);
        router.definitionChanged(message.change);
        port.postMessage({ kind: 'changed', id: message.id } satisfies FromRouter);
        break;
      case 'result':
      case 'error':
        calls.get(message.id)?.(message);
        calls.delete(message.id);
        break;
    }
  });
  start.links.forEach((link, partition) => {
    if (link !== undefined) router.attach(partition, link);
  });
  return router;
}

/** The catalog's calls, each sent over `port` and answered by a later message. */
function catalogOver(
  port: MessagePort,
  calls: Map<number, (message: ToRouter) => void>,
): CatalogCalls {
  let lastId = 0;
  const call = (method: CatalogMethod, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      calls.set(id, (message) => {
        if (message.kind === 'error') {
          reject(new BrokerError(message.error.code, message.error.detail));
        } else if (message.kind === 'result') resolve(message.value);
      });
      port.postMessage({ kind: 'call', id, method, args } satisfies FromRouter);
    });
  const entries = CATALOG_METHODS.map((method) => [
    method,
    (...args: readonly unknown[]) => call(method, args),
  ]);
  return Object.fromEntries(entries) as CatalogCalls;
}

/** The broker's side of one remote router. */
export class RouterPort {
  readonly #port: MessagePort;
  readonly #changes = new Map<number, () => void>();
  #lastChange = 0;
  #closed = false;

  constructor(port: MessagePort, catalog: CatalogCalls) {
    this.#port = port;
    port.on('message', (message: FromRouter) => {
      if (message.kind === 'changed') {
        this.#changes.get(message.id)?.();
        this.#changes.delete(message.id);
      } else {
        void this.#answer(message.id, message.method, message.args, catalog);
      }
    });
    port.on('close', () => this.close());
  }

  async #answer(
    id: number,
    method: CatalogMethod,
    args: readonly unknown[],
    catalog: CatalogCalls,
  ): Promise<void> {
    try {
      const run = catalog[method] as (...args: readonly unknown[]) => Promise<unknown>;
      const value = await run.apply(catalog, [...args]);
      this.#post({ kind: 'result', id, value });
    } catch (error) {
      this.#post({ kind: 'error', id, error: toClone(error) });
    }
  }

  attach(partition: number, link: LinkDescriptor): void {
    this.#post({ kind: 'attach', partition, link });
  }

  detach(partition: number, code: ErrorCode): void {
    this.#post({ kind: 'detach', partition, code });
  }

  /** Resolves when the router knows of the change, or is gone. */
  change(change: CatalogChange): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const id = ++this.#lastChange;
      this.#changes.set(id, resolve);
      this.#post({ kind: 'change', id, change });
    });
  }

  #post(message: ToRouter): void {
    if (!this.#closed) this.#port.postMessage(message);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.close();
    for (const resolve of this.#changes.values()) resolve();
    this.#changes.clear();
  }
}
