import path from 'node:path';
import { expect, test } from 'vitest';
import { Definitions } from '../../../src/catalog/definitions.ts';
import { settingsOf } from '../../../src/catalog/queue-settings.ts';
import { encodeEntry } from '../../../src/command/message-entry.ts';
import type { LogSettings } from '../../../src/command/thread-protocol.ts';
import type { Log } from '../../../src/log/log.ts';
import { openWal } from '../../../src/log/wal/wal.ts';
import { repartition } from '../../../src/partition/repartition.ts';
import { MessageStore } from '../../../src/queue/message-store.ts';
import { QueueState } from '../../../src/queue/queue-state.ts';
import { replayRecord } from '../../../src/queue/replay.ts';
import { queueDefinition } from '../../support/queue-definitions.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NOW = 1_700_000_000_000;
const SEGMENT_BYTES = 64 * 1024;
const DEAD = queueDefinition(1, 'dead.fifo', { fifo: true });
const TARGET = queueDefinition(2, 'target.fifo', { fifo: true });
const definitions = new Definitions([DEAD, TARGET]);
const settings = [DEAD, TARGET].map((each) => settingsOf(each, definitions));

function logIn(directory: string): LogSettings {
  const windowBytes = SEGMENT_BYTES;
  return { directory, segmentBytes: SEGMENT_BYTES, windowBytes, durability: { mode: 'none' } };
}

function open(log: LogSettings): { state: QueueState; log: Log } {
  const store = new MessageStore(SEGMENT_BYTES);
  for (const each of settings) store.define(each);
  const opened = openWal(log, (buffer, view, at, _length, position) =>
    replayRecord(store, buffer, view, at, position),
  );
  const state = new QueueState(store, opened.log);
  state.recovered(NOW);
  return { state, log: opened.log };
}

/** Entries with the bodies `ids`, all of one group. */
function entries(ids: readonly number[]): { bytes: Buffer; view: DataView } {
  const bytes = Buffer.alloc(ids.length * 128);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = 0;
  for (const id of ids) {
    const messageId = new Uint8Array(16).fill(id);
    end = encodeEntry({ body: `${id}`, groupId: 'g' }, messageId, bytes, view, end);
  }
  return { bytes: bytes.subarray(0, end), view };
}

function bodies({ state, log }: { state: QueueState; log: Log }, queueId: number): string[] {
  const count = state.peek(queueId, 100, 1_000_000);
  return [...state.receiving.slots.subarray(0, count)].map((slot) => {
    const length = state.table.entryBytes(slot);
    log.read(state.table.position(slot), length);
    return log.readBuffer.toString('utf8', log.readOffset + length - 1, log.readOffset + length);
  });
}

test('what is on its way between partitions is in its queue after a new layout, once', async () => {
  using folder = temporaryFolder();
  const from = [0, 1].map((p) => logIn(path.join(folder.path, `old-${p}`)));
  const source = open(from[0]!);
  const sent = entries([1, 2, 3, 4]);
  source.state.sending.send(1, sent.bytes, sent.view, 0, 4, NOW);
  source.state.move(1, 2, 4, () => 1, NOW + 1);
  expect(source.state.transit.count).toBe(4);
  const target = open(from[1]!);
  // The first two have arrived; whoever carried them could not tell any more.
  const arrived = entries([1, 2]);
  const sequences = Buffer.alloc(16);
  [5, 6].forEach((sequence, i) => sequences.writeDoubleLE(sequence, i * 8));
  const payload = Buffer.concat([sequences, arrived.bytes]);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  expect(target.state.transit.takeOver(2, 0, payload, view, 0, 2, NOW + 5)).toBe(0);
  for (const { log } of [source, target]) await log.close();

  const to = [logIn(path.join(folder.path, 'new'))];
  const order = { from, to, definitions: [DEAD, TARGET], settings, now: NOW + 10 };
  expect(await repartition(order)).toBe(4);
  const merged = open(to[0]!);
  expect(bodies(merged, 1)).toEqual([]);
  expect(bodies(merged, 2)).toEqual(['1', '2', '3', '4']);
  expect(merged.state.transit.count).toBe(0);
  await merged.log.close();
});
