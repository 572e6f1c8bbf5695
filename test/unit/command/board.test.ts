import { describe, expect, test } from 'vitest';
import { allocateBoard, Board, forEachRouter, GAUGES } from '../../../src/command/board.ts';

describe('the board', () => {
  test('sums a queue over partitions and keeps rows apart', () => {
    const board = new Board(allocateBoard(3, 8));
    board.publish(0, 2, 1, 5, 7, 11);
    board.publish(2, 2, 2, 6, 8, 12);
    board.publish(1, 3, 100, 100, 100, 100);
    expect(board.visible(2)).toBe(11);
    expect(board.inFlight(2)).toBe(15);
    expect(board.delayed(2)).toBe(23);
    expect(board.ready(0, 2)).toBe(1);
    expect(board.ready(1, 2)).toBe(0);
    expect(board.visible(3)).toBe(100);
  });

  test('tells a partition which routers wait, only when something is ready', () => {
    const board = new Board(allocateBoard(1, 4));
    board.raiseFlag(0, 1);
    board.raiseFlag(30, 1);
    expect(board.publish(0, 1, 0, 9, 0, 0)).toBe(0);
    const routers: number[] = [];
    forEachRouter(board.publish(0, 1, 1, 1, 0, 0), (router) => routers.push(router));
    expect(routers).toEqual([0, 30]);
    board.lowerFlag(0, 1);
    routers.length = 0;
    forEachRouter(board.publish(0, 1, 1, 1, 0, 0), (router) => routers.push(router));
    expect(routers).toEqual([30]);
  });

  test('clearing a partition leaves the others and the flags alone', () => {
    const board = new Board(allocateBoard(2, 4));
    board.publish(0, 3, 4, 4, 4, 4);
    board.publish(1, 3, 5, 5, 5, 5);
    board.raiseFlag(3, 3);
    board.clearPartition(0);
    expect(board.visible(3)).toBe(5);
    expect(board.publish(1, 3, 5, 5, 5, 5)).toBe(1 << 3);
  });

  test('every gauge has a place of its own beside state, restarts and heartbeat', () => {
    const board = new Board(allocateBoard(2, 1));
    GAUGES.forEach((gauge, index) => board.setGauge(0, gauge, index + 1));
    board.setState(0, 'failed');
    board.countRestart(0);
    board.beat(0);
    expect(GAUGES.map((gauge) => board.gauge(0, gauge))).toEqual(GAUGES.map((_, i) => i + 1));
    expect(GAUGES.map((gauge) => board.gauge(1, gauge))).toEqual(GAUGES.map(() => 0));
    expect(board.state(0)).toBe('failed');
    expect(board.state(1)).toBe('starting');
    board.beatRouter(0);
    board.beatRouter(0);
    expect([board.restarts(0), board.heartbeat(0)]).toEqual([1, 1]);
    expect([board.routerHeartbeat(0), board.routerHeartbeat(1)]).toEqual([2, 0]);
    board.setGauge(1, 'sent', 2 ** 32 - 1);
    expect(board.gauge(1, 'sent')).toBe(2 ** 32 - 1);
  });
});
