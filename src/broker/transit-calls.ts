/* What a router asks of partitions to carry messages from one to the other; see queue/transit.ts.
 * Runs on the router's thread. */

import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX } from '../base/limits.ts';
import * as codec from '../command/command-codec.ts';
import { ENTRY_BYTES_AT } from '../command/message-entry.ts';
import { transitQueueId } from '../command/queue-definition.ts';
import type { PartitionHandle } from './partition-handle.ts';
import { ask } from './requests.ts';

/** Messages that follow each other on their way, all for one queue. */
export interface TransitRun {
  readonly queueId: number;
  readonly count: number;
  /** Of the last one, where it comes from. */
  readonly newestSequence: number;
  /** Their sequences, f64, then their entries. */
  readonly payload: Uint8Array;
}

export class TransitCalls {
  readonly #handles: readonly PartitionHandle[];

  constructor(handles: readonly PartitionHandle[]) {
    this.#handles = handles;
  }

  /** The first messages on their way from `from` to `to`, in their order; none: all arrived. */
  async first(from: number, to: number): Promise<TransitRun[]> {
    const read = (buffer: Buffer, view: DataView, at: number) =>
      readRuns(buffer, view, at, view.getUint16(at + codec.COUNT_AT, true));
    return ask(
      this.#handles[from]!,
      codec.OP_PEEK,
      BATCH_ENTRIES_MAX,
      transitQueueId(to),
      BATCH_BYTES_MAX,
      undefined,
      read,
    );
  }

  /** Resolves when `to` has them, durable, now or since an earlier call. */
  async takeOver(from: number, to: number, { queueId, count, payload }: TransitRun): Promise<void> {
    const handle = this.#handles[to]!;
    await ask(handle, codec.OP_TAKE_OVER, count, queueId, from, payload, () => undefined);
  }

  /** Resolves when `from` has forgotten, durably, what went to `to` up to `sequence`. */
  async arrived(from: number, to: number, sequence: number): Promise<void> {
    const upTo = new Uint8Array(8);
    new DataView(upTo.buffer).setFloat64(0, sequence, true);
    const handle = this.#handles[from]!;
    await ask(handle, codec.OP_ARRIVED, 0, transitQueueId(to), 0, upTo, () => undefined);
  }
}

/** Cuts `count` deliveries behind the reply header at `at` into runs. */
function readRuns(buffer: Buffer, view: DataView, at: number, count: number): TransitRun[] {
  const runs: TransitRun[] = [];
  let from = at + codec.REPLY_HEADER_BYTES;
  for (let left = count; left > 0; ) {
    const queueId = view.getUint32(from + codec.DELIVERY_SOURCE_AT, true);
    const sequences: number[] = [];
    const entries: Buffer[] = [];
    while (left > 0 && view.getUint32(from + codec.DELIVERY_SOURCE_AT, true) === queueId) {
      sequences.push(view.getFloat64(from + codec.DELIVERY_SEQUENCE_AT, true));
      const entryAt = from + codec.DELIVERY_HEADER_BYTES;
      const end = entryAt + view.getUint32(entryAt + ENTRY_BYTES_AT, true);
      entries.push(buffer.subarray(entryAt, end));
      from = end;
      left--;
    }
    const header = Buffer.alloc(sequences.length * 8);
    sequences.forEach((sequence, i) => header.writeDoubleLE(sequence, i * 8));
    runs.push({
      queueId,
      count: sequences.length,
      newestSequence: sequences.at(-1)!,
      payload: Buffer.concat([header, ...entries]),
    });
  }
  return runs;
}
