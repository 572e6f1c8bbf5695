/* Thread entry of a door: its router, its protocols, its sockets.
 *
 * The thread must not end while a socket is open, because that takes the whole process with it: so
 * it ends by `close`, and an exception that nobody caught is logged and survived. It beats on the
 * board; when it does not, the main thread has it close its sockets, and terminates it.
 * State that such an exception may have left half done is the router's, whose partitions' logs are
 * the truth; a broken invariant makes the door close in good order and be started anew. */

import { parentPort } from 'node:worker_threads';
import { InvariantError } from '../base/assert.ts';
import { steadyClock } from '../base/clock.ts';
import { threadStart } from '../base/early-threads.ts';
import { HEARTBEAT_INTERVAL_MS } from '../base/limits.ts';
import { openRemoteRouter } from '../broker/remote-router.ts';
import { Board } from '../command/board.ts';
import { BoardMeasurements } from './admin/board-measurements.ts';
import { LoopLagWatch } from './admin/loop-lag.ts';
import { openDoor } from './door.ts';
import { DoorCounters } from './door-counters.ts';
import type { DoorStart, FromDoor, ToDoor } from './door-thread.ts';
import { onAbandon } from './hung-thread.ts';
import { createSocketProtocol } from './socket/socket-protocol.ts';
import { createSqsProtocol } from './sqs/sqs-protocol.ts';
import { threadLogger } from './thread-logger.ts';

/** A door that closes because of a defect has this long to finish what it has begun. */
const DEFECT_PATIENCE_MS = 1000;

const start = await threadStart<DoorStart>();
const port = parentPort!;
const post = (message: FromDoor): void => port.postMessage(message);
const logger = threadLogger((level, fields, message) =>
  post({ kind: 'log', level, fields: { door: start.door, ...fields }, message }),
);
const clock = steadyClock(start.router.clock);
const board = new Board(start.router.board);
const router = openRemoteRouter(start.router);
const lags = new LoopLagWatch(start.loopLags, start.door + 1);
let { damages } = start;
const source = new BoardMeasurements({
  board,
  clock,
  startedAtMs: start.startedAtMs,
  version: start.version,
  durability: start.durability,
  doorCounters: start.counters,
  loopLags: start.loopLags,
  threadNames: start.threadNames,
  damages: () => damages,
});
const server = openDoor({
  service: router,
  source,
  clock,
  logger,
  version: start.version,
  counters: start.counters,
  door: start.door,
  sqs: createSqsProtocol({
    service: router,
    publicUrl: start.publicUrl,
    logger,
    counters: new DoorCounters(start.counters, start.door, 'sqs'),
  }),
  socket: createSocketProtocol({
    service: router,
    token: start.token,
    logger,
    counters: new DoorCounters(start.counters, start.door, 'socket'),
  }),
});

onAbandon(() => server.abandon());
const beat = () => board.beatRouter(start.router.router);
beat();
// Until the last of its work is done.
setInterval(beat, HEARTBEAT_INTERVAL_MS).unref();

let closing: Promise<void> | undefined;

/** Ends the thread in good order. */
function close(patienceMs: number): Promise<void> {
  closing ??= (async () => {
    router.endWaits();
    await server.close(patienceMs);
    await router.settled(patienceMs);
    router.close();
    lags.close();
    start.router.port.close();
    port.close();
  })();
  return closing;
}

function onDefect(error: unknown): void {
  logger.error({ error }, 'an exception reached the top of a door thread');
  if (error instanceof InvariantError) void close(DEFECT_PATIENCE_MS);
}

process.on('uncaughtException', onDefect);
process.on('unhandledRejection', onDefect);
port.on('message', (message: ToDoor) => {
  if (message.kind === 'close') void close(message.patienceMs);
  else damages = message.damages;
});

try {
  await server.listen(start.host, start.port);
  post({ kind: 'listening' });
} catch (error) {
  post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  await close(0);
}
