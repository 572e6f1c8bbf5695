import { describe, expect, it } from 'vitest';
import {
  encodeEntry,
  entryBytesBound,
  type OutgoingMessage,
} from '../../../src/command/message-entry.ts';
import { digestRecord } from '../../../src/queue/digest.ts';
import { MessageStore } from '../../../src/queue/message-store.ts';
import { QueueState } from '../../../src/queue/queue-state.ts';
import { readEntry, relocate } from '../../../src/queue/relocation.ts';
import { replayRecord } from '../../../src/queue/replay.ts';
import { MemoryStorage } from '../../support/memory-log.ts';
import { partitionQueueSettings } from '../../support/partition-queue-settings.ts';

const NOW = 1_700_000_000_000;
const STANDARD = 1;
const FIFO = 2;
/** The sequence that a message had in the partition from which it was taken over. */
const TAKEN_OVER = 77;

function block(messages: readonly OutgoingMessage[]): Buffer {
  const buffer = Buffer.alloc(messages.reduce((sum, each) => sum + entryBytesBound(each), 0));
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  let end = 0;
  for (const [i, message] of messages.entries()) {
    const id = new Uint8Array(16).fill(i + 1);
    end = encodeEntry(message, id, buffer, view, end);
  }
  return buffer.subarray(0, end);
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}

function send(state: QueueState, queueId: number, messages: readonly OutgoingMessage[]): void {
  const entries = block(messages);
  state.sending.send(queueId, entries, viewOf(entries), 0, messages.length, NOW);
}

function newStore(): MessageStore {
  const store = new MessageStore(1024 * 1024);
  store.define(partitionQueueSettings({ queueId: STANDARD }));
  store.define(partitionQueueSettings({ queueId: FIFO, fifo: true }));
  return store;
}

/** What a partition has been through: sends of both kinds, a receive, a delete, a relocation. */
function history(): MemoryStorage {
  const storage = new MemoryStorage();
  const log = storage.open(() => {});
  const state = new QueueState(newStore(), log);
  const md5 = new Uint8Array(16).fill(7);
  send(state, STANDARD, [
    { body: 'x'.repeat(300), md5 },
    { body: 'delayed', delayMs: 5000, attributes: Buffer.from('block'), traceHeader: 'trace' },
    { body: 'grouped', groupId: 'tenant' },
  ]);
  send(state, FIFO, [
    { body: 'first', groupId: 'a', deduplicationId: 'd1', md5 },
    { body: 'second', groupId: 'a', deduplicationId: 'd2' },
    { body: 'again', groupId: 'a', deduplicationId: 'd1' },
  ]);
  void log.commit();
  expect(state.receiving.receive(STANDARD, 1, 1e6, 1e6, 30_000, 0, NOW)).toBe(1);
  void log.commit();
  const slot = state.receiving.slots[0]!;
  relocate(state, slot, readEntry(state.store, log, slot), 0);
  void log.commit();
  const taken = block([{ body: 'y'.repeat(300), groupId: 'a', delayMs: 5000, md5 }]);
  const payload = Buffer.concat([Buffer.alloc(8), taken]);
  payload.writeDoubleLE(TAKEN_OVER, 0);
  state.transit.takeOver(FIFO, 3, payload, viewOf(payload), 0, 1, NOW);
  void log.commit();
  return storage;
}

/** Everything about the messages of a store, by slot. */
function contents(store: MessageStore): unknown[] {
  const { table } = store;
  const rows: unknown[] = [];
  for (let slot = 1; slot < table.endSlot; slot++) {
    rows.push({
      slot,
      queue: store.queueOf(slot).queueId,
      state: table.state(slot),
      position: table.position(slot),
      sequence: table.sequence(slot),
      sentAt: table.sentAt(slot),
      entryBytes: table.entryBytes(slot),
      receiveCount: table.receiveCount(slot),
      firstReceivedAt: table.firstReceivedAt(slot),
    });
  }
  return rows;
}

function digestOf(bytes: Buffer): Buffer {
  const buffer = Buffer.alloc(bytes.length);
  let claimed = 0;
  const sink = {
    buffer,
    view: viewOf(buffer),
    claim: (length: number) => {
      claimed = length;
      return 0;
    },
  };
  digestRecord(sink, bytes, viewOf(bytes), 0, bytes.length);
  return buffer.subarray(0, claimed);
}

describe('a digested record', () => {
  it('replays to what the record itself replays to, and has no bodies', () => {
    const { records } = history();
    const [whole, digested] = [newStore(), newStore()];
    let [wholeBytes, digestedBytes] = [0, 0];
    for (const { bytes, position } of records) {
      replayRecord(whole, bytes, viewOf(bytes), 0, position);
      const digest = digestOf(bytes);
      replayRecord(digested, digest, viewOf(digest), 0, position);
      wholeBytes += bytes.length;
      digestedBytes += digest.length;
      expect(digest.includes('x'.repeat(20)) || digest.includes('y'.repeat(20))).toBe(false);
    }
    expect(contents(digested)).toEqual(contents(whole));
    expect(contents(whole)).toHaveLength(6);
    expect(digested.takenOver[3]).toBe(TAKEN_OVER);
    expect(digested.takenOver).toEqual(whole.takenOver);
    expect(digested.dedup.size).toBe(2);
    expect(digested.nextSequence).toBe(whole.nextSequence);
    expect(digestedBytes).toBeLessThan(wholeBytes - 600);
  });
});
