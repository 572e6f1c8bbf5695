/* Entry of a partition's thread: recover from the log, announce, then turn after turn until the
 * supervisor asks to stop. Whatever goes wrong ends the thread; recovery and restart are one
 * path. */

import { parentPort } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { steadyClock } from '../base/clock.ts';
import { threadStart } from '../base/early-threads.ts';
import { HEARTBEAT_INTERVAL_MS } from '../base/limits.ts';
import { Board } from '../command/board.ts';
import {
  DIGEST_CONTENT_VERSION,
  type PartitionMessage,
  type PartitionStart,
} from '../command/thread-protocol.ts';
import { logSize } from '../log/wal/open-segments.ts';
import { NODE_STORAGE } from '../log/wal/storage.ts';
import { openWal } from '../log/wal/wal.ts';
import { digestRecord } from '../queue/digest.ts';
import { MessageStore } from '../queue/message-store.ts';
import { QueueState } from '../queue/queue-state.ts';
import { replayRecord } from '../queue/replay.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { DuplexServerEnd } from '../ring/duplex.ts';
import { Partition, RouterLink } from './partition.ts';
import { SyncThread } from './sync-thread.ts';

/** A long replay must not look like a hang. */
const RECORDS_PER_BEAT = 1024;
/** Of small messages in a log that is full of them: room for so many is made before they are
 *  found. Room that is not used takes no memory. */
const BYTES_PER_MESSAGE = 256;
/** A segment that begins with so much of one alive is taken for part of a backlog: what it takes up
 *  is likely to be there at the next start. More than what traffic has on its way. */
const DIGESTED_WITH_LIVE_REGIONS = 0.5;
/** Of smaller messages a digest is no small part of the segment, and it takes memory and time while
 *  they come in: the maintenance pool makes it later. */
const DIGESTED_ENTRY_BYTES_MIN = 1024;

const start = await threadStart<PartitionStart>();
const steady = steadyClock(start.clock);
/** Time in this partition never goes back, not across a restart either: deadlines are times in its
 *  log. Where the machine's clock was set back meanwhile, the partition's is ahead of it. */
let aheadMs = 0;
const clock = () => steady() + aheadMs;
const board = new Board(start.board);
const doorbell = new Doorbell(start.doorbell);

/** @param moved memory that goes with it */
function post(message: PartitionMessage, moved?: Buffer): void {
  parentPort?.postMessage(message, moved === undefined ? [] : [moved.buffer as ArrayBuffer]);
}

/** Whether the segment that begins now is likely to be wanted by the next start. */
function isBacklog({ regions, table }: MessageStore, segmentBytes: number): boolean {
  return (
    regions.bytes >= segmentBytes * DIGESTED_WITH_LIVE_REGIONS &&
    regions.bytes >= table.count * DIGESTED_ENTRY_BYTES_MIN
  );
}

function recover(): Partition {
  const began = performance.now();
  board.setState(start.partition, 'recovering');
  const { directory, durability } = start.log;
  // A log keeps the segment size it was made with.
  const { segmentBytes, segments } = logSize(NODE_STORAGE, directory) ?? {
    segmentBytes: start.log.segmentBytes,
    segments: 0,
  };
  const store = new MessageStore(segmentBytes, (segments * segmentBytes) / BYTES_PER_MESSAGE);
  for (const settings of start.queues) store.define(settings);
  let isCleaning = () => false;
  let records = 0;
  const { log, report } = openWal(
    {
      ...start.log,
      clock,
      syncer: durability.mode === 'fsync' ? new SyncThread(start.doorbell) : undefined,
      digestContentVersion: DIGEST_CONTENT_VERSION,
      liveDigest: {
        contentVersion: DIGEST_CONTENT_VERSION,
        digestRecord,
        isWanted: () => isBacklog(store, segmentBytes),
        onDigest: (index, digest) => post({ kind: 'digest', index, digest }, digest),
      },
      onRotate: (spares) => {
        // What is cleaned becomes a spare soon.
        if (spares === 0 || !isCleaning()) post({ kind: 'segment' });
      },
      onRetired: () => post({ kind: 'retired' }),
    },
    (buffer, view, offset, _length, position) => {
      replayRecord(store, buffer, view, offset, position);
      if (++records % RECORDS_PER_BEAT === 0) board.beat(start.partition);
    },
  );
  assert(log.regionBytes === segmentBytes, 'regions are those that messages were counted by');
  aheadMs = Math.max(0, store.newestRecordAt - steady());
  const state = new QueueState(store, log);
  state.recovered(clock());
  store.beginLife(clock());
  const links = start.links.map(
    (link) =>
      new RouterLink(link.router, new DuplexServerEnd(link), new Doorbell(link.routerDoorbell)),
  );
  const { partition: index, faults } = start;
  const { partitions } = board;
  const partition = new Partition({ index, partitions, log, state, board, links, faults });
  isCleaning = () => partition.isCleaning;
  // What it holds is on the board before anybody hears that it runs.
  partition.turn(clock());
  const recoveryMs = performance.now() - began;
  const messages = state.table.count;
  post({ kind: 'running', recoveryMs, messages, remark: report.remark });
  return partition;
}

function run(partition: Partition): void {
  board.setState(start.partition, 'running');
  const hasWork = () => partition.hasWork();
  let sweptAt = 0;
  while (!partition.stopRequested) {
    const now = clock();
    if (now - sweptAt >= HEARTBEAT_INTERVAL_MS) {
      sweptAt = now;
      if (partition.progresses()) board.beat(start.partition);
      partition.sweep(now);
    } else if (now >= partition.log.idleBy) {
      partition.log.idle(now);
    }
    partition.turn(now);
    if (!hasWork()) doorbell.sleep(partition.idleMs(clock(), HEARTBEAT_INTERVAL_MS), hasWork);
  }
}

async function main(): Promise<void> {
  const partition = recover();
  run(partition);
  partition.finish();
  await partition.log.close();
  board.setState(start.partition, 'stopped');
  post({ kind: 'stopped' });
}

await main();
