/* A whole front door over a service in memory, on a port of its own, in the test's thread. */

import { SILENT_LOGGER } from '../../src/base/logger.ts';
import type { PartitionState } from '../../src/command/board.ts';
import { allocateBoard, Board } from '../../src/command/board.ts';
import { BoardMeasurements } from '../../src/door/admin/board-measurements.ts';
import { allocateLoopLags } from '../../src/door/admin/loop-lag.ts';
import { openDoor } from '../../src/door/door.ts';
import { allocateDoorCounters, DoorCounters } from '../../src/door/door-counters.ts';
import { createSocketProtocol } from '../../src/door/socket/socket-protocol.ts';
import { createSqsProtocol } from '../../src/door/sqs/sqs-protocol.ts';
import type { FakeQueueService } from './fake-queue-service.ts';
import { WaitingQueueService } from './waiting-queue-service.ts';

export interface DoorOnFake extends AsyncDisposable {
  readonly service: FakeQueueService;
  readonly board: Board;
  readonly port: number;
  readonly url: string;
}

export async function openDoorOnFake(
  states: readonly PartitionState[] = ['running', 'running'],
): Promise<DoorOnFake> {
  const service = new WaitingQueueService();
  const clock = () => service.now;
  const board = new Board(allocateBoard(states.length, 100));
  states.forEach((state, partition) => board.setState(partition, state));
  const counters = allocateDoorCounters(1);
  const logger = SILENT_LOGGER;
  const source = new BoardMeasurements({
    board,
    clock,
    startedAtMs: service.now - 5000,
    version: '1.2.3',
    durability: 'fsync',
    doorCounters: counters,
    loopLags: allocateLoopLags(1),
    threadNames: ['main'],
    damages: () => [],
  });
  const sqsCounters = new DoorCounters(counters, 0, 'sqs');
  const server = openDoor({
    service,
    source,
    clock,
    logger,
    version: '1.2.3',
    counters,
    door: 0,
    sqs: createSqsProtocol({
      service,
      logger,
      counters: sqsCounters,
    }),
    socket: createSocketProtocol({
      service,
      logger,
      counters: new DoorCounters(counters, 0, 'socket'),
    }),
  });
  const port = await server.listen('127.0.0.1', 0);
  return {
    service,
    board,
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server.close(0),
  };
}
