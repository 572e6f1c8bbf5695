import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  type Parked,
  RECEIVE_BYTES_MAX,
  ROOM_BYTES_MAX,
  Room,
} from '../../../../src/door/socket/room.ts';
import { MemoryPeer } from '../../../support/memory-sockets.ts';

function roomOf(peer = new MemoryPeer(() => undefined)): Room {
  return new Room(peer, () => 0);
}

function parkedOf(resume: () => void): Parked {
  return { heldBytes: 0, resume };
}

function holders(room: Room, count: number): Parked[] {
  const all = Array.from({ length: count }, () => parkedOf(() => undefined));
  for (const each of all) expect(room.take(each, RECEIVE_BYTES_MAX)).toBe(true);
  return all;
}

const FULL = ROOM_BYTES_MAX / RECEIVE_BYTES_MAX;

describe('the room of a connection', () => {
  it('is taken up to its bound, once by each, and given back', () => {
    const room = roomOf();
    const [first] = holders(room, FULL);
    const late = parkedOf(() => undefined);
    expect(room.take(late, 1)).toBe(false);
    expect(room.take(first!, RECEIVE_BYTES_MAX)).toBe(true);
    room.leave(first!);
    room.leave(first!);
    expect(room.take(late, RECEIVE_BYTES_MAX)).toBe(true);
    expect(room.take(first!, 1)).toBe(false);
  });

  it('always has place for one, however large that is', () => {
    expect(
      roomOf().take(
        parkedOf(() => undefined),
        ROOM_BYTES_MAX * 2,
      ),
    ).toBe(true);
  });

  it('counts what has not left the socket', () => {
    const peer = new MemoryPeer(() => undefined);
    peer.bufferedBytes = ROOM_BYTES_MAX;
    expect(roomOf(peer).hasRoom(1)).toBe(false);
  });

  it('lets those that are parked go on as soon as somebody leaves, in their order', async () => {
    const room = roomOf();
    const [first, second] = holders(room, FULL);
    const resumed: number[] = [];
    for (const id of [1, 2]) {
      const parked = parkedOf(() => {
        resumed.push(id);
        expect(room.take(parked, RECEIVE_BYTES_MAX)).toBe(true);
      });
      room.park(parked);
    }
    room.leave(first!);
    expect(resumed).toEqual([]);
    await turn();
    expect(resumed).toEqual([1]);
    room.leave(second!);
    await turn();
    expect(resumed).toEqual([1, 2]);
  });

  it('forgets those that are gone', async () => {
    const room = roomOf();
    const [first] = holders(room, FULL);
    const parked = parkedOf(() => expect.unreachable());
    room.park(parked);
    room.forget(parked);
    room.leave(first!);
    await turn();
  });

  it('asks for as many bytes as messages have had of late', () => {
    const room = roomOf();
    const small = room.bytesFor(10);
    room.note(100_000, 1);
    expect(room.bytesFor(10)).toBe(RECEIVE_BYTES_MAX);
    expect(room.bytesFor(1)).toBe(100_000);
    for (let i = 0; i < 1000; i++) room.note(100, 1);
    expect(room.bytesFor(10)).toBeLessThan(small + 1000);
  });
});
