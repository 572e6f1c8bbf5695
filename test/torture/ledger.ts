/* What a client saw, in a file of its own, one line per event. A line is with the operating system
 * before the client goes on, so that one which is killed leaves all of its history but, at worst,
 * half a line.
 *
 * Times are the machine's monotonic clock in milliseconds: the same for every process on it, and
 * nothing that bends the server's clock bends it. */

import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';

/** What a body says of its message, over all copies of it that retries may make. */
export interface Content {
  readonly key: string;
  readonly group?: string;
  /** Its place among those of its group, in the order they were sent. */
  readonly order?: number;
}

export type Event =
  | ({ readonly kind: 'sending'; readonly at: number } & Content)
  | ({
      readonly kind: 'sent';
      readonly messageId: string;
      /** When the call began and ended. */
      readonly from: number;
      readonly to: number;
    } & Content)
  | ({
      readonly kind: 'received';
      readonly messageId: string;
      readonly consumer: string;
      readonly receiveCount: number;
      readonly visibilityMs: number;
      readonly from: number;
      readonly to: number;
    } & Content)
  | { readonly kind: 'deleting'; readonly messageId: string; readonly at: number }
  | {
      readonly kind: 'deleted';
      readonly messageId: string;
      readonly from: number;
      readonly to: number;
    };

/** Milliseconds since the machine started. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class Ledger implements Disposable {
  readonly #fd: number;

  constructor(folder: string, name: string) {
    this.#fd = openSync(path.join(folder, `${name}.ledger`), 'a');
  }

  note(event: Event): void {
    writeSync(this.#fd, `${JSON.stringify(event)}\n`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Every event of every ledger in `folder`; in no order. */
export function readLedgers(folder: string): Event[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ledger'))
    .flatMap((name) => {
      const text = readFileSync(path.join(folder, name), 'utf8');
      // Behind the last line break is nothing, or what a killed client had begun.
      const lines = text.split('\n').slice(0, -1);
      return lines.map((line) => JSON.parse(line) as Event);
    });
}

/** `key`, and for a FIFO queue its group and its place there, as a message's body. */
export function bodyOf({ key, group, order }: Content): string {
  return group === undefined ? key : `${key} ${group} ${order}`;
}

export function contentOf(body: string): Content {
  const [key, group, order] = body.split(' ');
  return group === undefined ? { key: key! } : { key: key!, group, order: Number(order) };
}
