/* The state of one partition over a log, as a test drives it: commands in, results out, and the
 * whole state read back as plain objects. Whatever it holds is read from the log, as a receive
 * does. */

import { errorCodeOf, NO_ERROR } from '../../src/base/errors.ts';
import { DELIVERY_HEADER_BYTES } from '../../src/command/command-codec.ts';
import {
  BODY_BYTES_AT,
  bodyOffset,
  ENTRY_BYTES_AT,
  encodeEntry,
  entryBytesBound,
} from '../../src/command/message-entry.ts';
import type { QueueSettings } from '../../src/command/queue-definition.ts';
import type { Log } from '../../src/log/log.ts';
import { openWal } from '../../src/log/wal/wal.ts';
import { Cleaner } from '../../src/partition/cleaner.ts';
import { MessageStore } from '../../src/queue/message-store.ts';
import { DELAYED, HELD, IN_FLIGHT, READY } from '../../src/queue/message-table.ts';
import { QueueState } from '../../src/queue/queue-state.ts';
import { replayRecord } from '../../src/queue/replay.ts';
import type { FaultyStorage } from './faulty-storage.ts';
import { rowsOf } from './state-invariants.ts';

export const REGION_BYTES = 8 * 1024;
const DIRECTORY = '/partition';
const STATES = { [READY]: 'ready', [DELAYED]: 'delayed', [IN_FLIGHT]: 'inFlight', [HELD]: 'held' };

export type StateName = 'ready' | 'delayed' | 'inFlight' | 'held';

export interface TestMessage {
  readonly id: number;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
  readonly delayMs?: number | undefined;
  readonly padding?: number | undefined;
}

export interface SendResult {
  readonly error: string | undefined;
  readonly duplicate: boolean;
  readonly sequence: number;
}

export interface TestReceipt {
  readonly slot: number;
  readonly sequence: number;
  readonly delivery: number;
}

/** A message as it stands. */
export interface MessageView extends TestReceipt {
  readonly id: number;
  readonly state: StateName;
  /** 0: it has none. */
  readonly deadline: number;
  readonly sentAt: number;
  readonly receiveCount: number;
  readonly firstReceivedAt: number;
  readonly lastReceivedAt: number;
  readonly source: number;
  readonly bytes: number;
}

export function settingsOf(queueId: number, over: Partial<QueueSettings> = {}): QueueSettings {
  return {
    queueId,
    boardRow: queueId,
    fifo: false,
    visibilityTimeoutMs: 30_000,
    delayMs: 0,
    retentionMs: 3_600_000,
    inFlightMax: 1000,
    deduplicationPerGroup: false,
    placementKey: 0,
    deadLetterQueueId: 0,
    maxReceiveCount: 0,
    ...over,
  };
}

export class PartitionState {
  readonly storage: FaultyStorage;
  log!: Log;
  state!: QueueState;
  cleaner!: Cleaner;
  readonly #scratch = Buffer.alloc(64 * 1024);
  readonly #view = new DataView(this.#scratch.buffer, this.#scratch.byteOffset);

  constructor(storage: FaultyStorage, queues: readonly QueueSettings[], now: number) {
    this.storage = storage;
    this.recover(queues, now);
  }

  /** What a partition's thread does at its start. */
  recover(queues: readonly QueueSettings[], now: number): void {
    const store = new MessageStore(REGION_BYTES);
    for (const settings of queues) store.define(settings);
    const { log } = openWal(
      {
        directory: DIRECTORY,
        segmentBytes: REGION_BYTES,
        windowBytes: REGION_BYTES,
        durability: { mode: 'fsync' },
        storage: this.storage,
        clock: () => 0,
        randomWord: () => 0x5eed,
      },
      (buffer, view, offset, _length, position) =>
        replayRecord(store, buffer, view, offset, position),
    );
    this.log = log;
    this.state = new QueueState(store, log);
    this.state.recovered(now);
    this.cleaner = new Cleaner(log, this.state);
  }

  send(queueId: number, messages: readonly TestMessage[], now: number): SendResult[] {
    let end = 0;
    for (const message of messages) end = this.#encode(message, end);
    const { sending } = this.state;
    sending.send(queueId, this.#scratch, this.#view, 0, messages.length, now);
    return messages.map((_, i) => {
      if (sending.uniform) {
        return { error: undefined, duplicate: false, sequence: sending.sequences[0]! + i };
      }
      const error = sending.errors[i]!;
      return {
        error: error === NO_ERROR ? undefined : errorCodeOf(error),
        duplicate: sending.duplicates[i] === 1,
        sequence: sending.sequences[i]!,
      };
    });
  }

  #encode({ id, groupId, deduplicationId, delayMs, padding = 0 }: TestMessage, at: number): number {
    const body = `${id}:${'.'.repeat(padding)}`;
    const message = { body, groupId, deduplicationId, delayMs };
    if (at + entryBytesBound(message) > this.#scratch.length) throw new RangeError('batch too big');
    const messageId = new Uint8Array(16);
    new DataView(messageId.buffer).setUint32(12, id);
    return encodeEntry(message, messageId, this.#scratch, this.#view, at);
  }

  /** The messages received; or an error's code. */
  receive(
    queueId: number,
    max: number,
    now: number,
    { bytesMax = 1_000_000, timeoutMs = -1, attempt = 0 } = {},
  ): MessageView[] | string {
    const { receiving } = this.state;
    const count = receiving.receive(
      queueId,
      max,
      bytesMax,
      Number.POSITIVE_INFINITY,
      timeoutMs,
      attempt,
      now,
    );
    return count < 0 ? errorCodeOf(-count) : this.#views(count);
  }

  peek(queueId: number, max: number): MessageView[] | string {
    const count = this.state.peek(queueId, max, 1_000_000);
    return count < 0 ? errorCodeOf(-count) : this.#views(count);
  }

  #views(count: number): MessageView[] {
    const { slots } = this.state.receiving;
    return [...slots.subarray(0, count)].map((slot) => this.view(slot));
  }

  /** A result for each receipt: undefined, or an error's code. */
  delete(queueId: number, receipts: readonly TestReceipt[], now: number): (string | undefined)[] {
    receipts.forEach((receipt, i) => this.#putReceipt(receipt, i * 12));
    this.state.receipts.delete(queueId, this.#view, 0, receipts.length, now);
    return this.#results(receipts.length);
  }

  changeVisibility(
    queueId: number,
    receipts: readonly TestReceipt[],
    timeoutMs: number,
    now: number,
  ): (string | undefined)[] {
    receipts.forEach((receipt, i) => {
      this.#putReceipt(receipt, i * 16);
      this.#view.setUint32(i * 16 + 12, timeoutMs, true);
    });
    this.state.receipts.changeVisibility(queueId, this.#view, 0, receipts.length, now);
    return this.#results(receipts.length);
  }

  #putReceipt({ slot, sequence, delivery }: TestReceipt, at: number): void {
    this.#view.setUint32(at, slot, true);
    this.#view.setUint32(at + 4, sequence >>> 0, true);
    this.#view.setUint32(at + 8, delivery, true);
  }

  #results(count: number): (string | undefined)[] {
    const { results } = this.state.receipts;
    return Array.from({ length: count }, (_, i) =>
      results[i] === NO_ERROR ? undefined : errorCodeOf(results[i]!),
    );
  }

  /** Ends a turn as a partition does. True when it waited for the disk. */
  endTurn(): boolean {
    if (!this.log.dirty) return false;
    const durable = this.state.takeSyncNeeded();
    if (durable) void this.log.commit();
    else this.log.write();
    return durable;
  }

  /** The message in `slot`, its body as the log has it. */
  view(slot: number): MessageView {
    const { table, store } = this.state;
    const bytes = table.entryBytes(slot);
    this.log.read(table.position(slot), bytes);
    const { readBuffer, readOffset } = this.log;
    const view = new DataView(readBuffer.buffer, readBuffer.byteOffset, readBuffer.length);
    if (view.getUint32(readOffset + ENTRY_BYTES_AT, true) !== bytes) {
      throw new Error(`slot ${slot}: no entry of ${bytes} bytes is where its row says`);
    }
    const from = bodyOffset(view, readOffset);
    const bodyBytes = view.getUint32(readOffset + BODY_BYTES_AT, true);
    const body = readBuffer.toString('utf8', from, from + bodyBytes);
    const state = table.state(slot);
    return {
      id: Number.parseInt(body, 10),
      slot,
      sequence: table.sequence(slot),
      delivery: table.delivery(slot),
      state: STATES[state as keyof typeof STATES] as StateName,
      deadline: state === READY ? 0 : store.heap.deadline(slot),
      sentAt: table.sentAt(slot),
      receiveCount: table.receiveCount(slot),
      firstReceivedAt: table.firstReceivedAt(slot),
      lastReceivedAt: table.receiveCount(slot) === 0 ? 0 : table.lastReceivedAt(slot),
      source: table.source(slot),
      bytes: bytes + DELIVERY_HEADER_BYTES,
    };
  }

  /** Every living message of every queue, by its id in the queue's order of sequences. */
  dump(): Map<number, MessageView[]> {
    const queues = new Map<number, MessageView[]>();
    for (const queue of this.state.store.queues()) {
      const slots = rowsOf(this.state.store, queue);
      const messages = slots.map((slot) => this.view(slot));
      queues.set(
        queue.queueId,
        messages.toSorted((a, b) => a.sequence - b.sequence),
      );
    }
    return queues;
  }
}
