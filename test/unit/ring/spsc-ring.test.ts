import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocateRing, FRAME_HEADER_BYTES, frameSpan } from '../../../src/ring/layout.ts';
import { INSUFFICIENT, RingReader, RingWriter } from '../../../src/ring/spsc-ring.ts';

const CAPACITY = 256;

function ring(capacity = CAPACITY): { writer: RingWriter; reader: RingReader } {
  const memory = allocateRing(capacity);
  return { writer: new RingWriter(memory), reader: new RingReader(memory) };
}

/** Claims a frame whose payload is `length` bytes of `fill`. */
function put(writer: RingWriter, length: number, fill: number): boolean {
  const at = writer.claim(length);
  if (at === INSUFFICIENT) return false;
  writer.buffer.fill(fill, at, at + length);
  return true;
}

function payload(reader: RingReader): number[] {
  return [...reader.buffer.subarray(reader.offset, reader.offset + reader.length)];
}

/** Has both ends stand at `index` of an empty ring. */
function advanceTo(writer: RingWriter, reader: RingReader, index: number): void {
  for (let at = 0; at < index; at += 8) {
    put(writer, 0, 0);
    writer.publish();
    expect(reader.next()).toBe(true);
    reader.release();
  }
}

describe('frames', () => {
  test('a frame is not seen before it is published', () => {
    const { writer, reader } = ring();
    put(writer, 5, 1);
    expect(reader.next()).toBe(false);
    expect(reader.empty).toBe(true);
    expect(writer.publish()).toBe(true);
    expect(reader.empty).toBe(false);
    expect(reader.next()).toBe(true);
    expect(payload(reader)).toEqual([1, 1, 1, 1, 1]);
  });

  test('nothing claimed is nothing to publish, and nothing read is nothing to release', () => {
    const { writer, reader } = ring();
    expect(writer.publish()).toBe(false);
    expect(reader.release()).toBe(false);
  });

  test('a frame that does not fit up to the end goes to the start, whole', () => {
    const { writer, reader } = ring();
    advanceTo(writer, reader, CAPACITY - 16);
    expect(put(writer, 40, 7)).toBe(true);
    writer.publish();
    expect(reader.next()).toBe(true);
    expect(reader.offset).toBe(FRAME_HEADER_BYTES);
    expect(payload(reader)).toEqual(new Array(40).fill(7));
    expect(reader.next()).toBe(false);
  });

  test('a frame that ends exactly at the end needs no padding', () => {
    const { writer, reader } = ring();
    advanceTo(writer, reader, CAPACITY - 16);
    expect(put(writer, 12, 3)).toBe(true);
    expect(put(writer, 4, 4)).toBe(true);
    writer.publish();
    reader.next();
    expect(reader.offset).toBe(CAPACITY - 12);
    reader.next();
    expect(reader.offset).toBe(FRAME_HEADER_BYTES);
  });

  test('a full ring takes nothing until its reader has released', () => {
    const { writer, reader } = ring();
    expect(put(writer, CAPACITY - FRAME_HEADER_BYTES, 9)).toBe(true);
    expect(put(writer, 0, 0)).toBe(false);
    writer.publish();
    expect(reader.next()).toBe(true);
    expect(put(writer, 0, 0)).toBe(false);
    reader.release();
    expect(put(writer, 0, 0)).toBe(true);
  });

  test('a frame of up to half the capacity fits an empty ring wherever its ends stand', () => {
    for (let index = 0; index < CAPACITY; index += 8) {
      const { writer, reader } = ring();
      advanceTo(writer, reader, index);
      expect(put(writer, CAPACITY / 2 - FRAME_HEADER_BYTES, 1)).toBe(true);
    }
  });

  test('a frame that is cut short takes only what is left of it', () => {
    const { writer, reader } = ring();
    put(writer, 100, 2);
    writer.shrink(3);
    put(writer, 1, 5);
    writer.publish();
    reader.next();
    expect(payload(reader)).toEqual([2, 2, 2]);
    reader.next();
    expect(reader.offset).toBe(frameSpan(3) + FRAME_HEADER_BYTES);
    expect(payload(reader)).toEqual([5]);
  });

  test('a frame that is stepped back from is found again; what came before is released', () => {
    const { writer, reader } = ring();
    advanceTo(writer, reader, CAPACITY - 16);
    put(writer, 8, 1);
    put(writer, 60, 2);
    writer.publish();
    reader.next();
    reader.next();
    reader.unread();
    reader.release();
    expect(reader.empty).toBe(false);
    expect(reader.next()).toBe(true);
    expect(payload(reader)).toEqual(new Array(60).fill(2));
  });
});

describe('room', () => {
  test('whoever asks for room is told once, by the next release', () => {
    const { writer, reader } = ring();
    put(writer, 8, 0);
    put(writer, 8, 0);
    put(writer, 8, 0);
    writer.publish();
    reader.next();
    expect(reader.release()).toBe(false);
    writer.requestSpace();
    reader.next();
    expect(reader.release()).toBe(true);
    reader.next();
    expect(reader.release()).toBe(false);
  });

  test('a frame as long as freeBytes says can be claimed, and none that is longer', () => {
    const lengths = fc.array(fc.nat(CAPACITY / 2), { maxLength: 40 });
    fc.assert(
      fc.property(lengths, fc.array(fc.nat(3), { maxLength: 40 }), (sizes, releases) => {
        const { writer, reader } = ring();
        sizes.forEach((size, i) => {
          put(writer, size, i);
          writer.publish();
          for (let n = releases[i] ?? 0; n > 0 && reader.next(); n--) reader.release();
          const free = writer.freeBytes;
          if (free < 0) {
            expect(writer.claim(0)).toBe(INSUFFICIENT);
            return;
          }
          expect(writer.claim(free + 1)).toBe(INSUFFICIENT);
          expect(writer.claim(free)).not.toBe(INSUFFICIENT);
          writer.shrink(0);
        });
      }),
    );
  });
});

test('positions go on past 2^31 and 2^32', () => {
  const { writer, reader } = ring(2 ** 20);
  const length = 2 ** 19 - FRAME_HEADER_BYTES;
  for (let i = 0; i < 2 ** 14 + 8; i++) {
    const at = writer.claim(length);
    if (at === INSUFFICIENT) throw new Error(`no room in turn ${i}`);
    writer.view.setInt32(at, i, true);
    writer.publish();
    if (!reader.next()) throw new Error(`no frame in turn ${i}`);
    if (reader.view.getInt32(reader.offset, true) !== i) throw new Error(`frame ${i} is another`);
    reader.release();
  }
  expect(writer.freeBytes).toBe(2 ** 20 - FRAME_HEADER_BYTES);
});

test('any sequence of steps gives the frames that were published, in order and unharmed', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('put'), bytes: fc.nat(130) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('shrink'), bytes: fc.nat(130) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('publish'), bytes: fc.constant(0) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('next'), bytes: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('unread'), bytes: fc.constant(0) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('release'), bytes: fc.constant(0) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { writer, reader } = ring();
      const claimed: { fill: number; length: number }[] = [];
      const published: { fill: number; length: number }[] = [];
      let last: { fill: number; length: number } | undefined;
      let fill = 0;
      for (const { do: what, bytes } of steps) {
        if (what === 'put' && put(writer, bytes, fill & 0xff)) {
          claimed.push({ fill: fill++ & 0xff, length: bytes });
        } else if (what === 'shrink' && claimed.length > 0) {
          const frame = claimed.at(-1)!;
          frame.length = Math.min(frame.length, bytes);
          writer.shrink(frame.length);
        } else if (what === 'publish') {
          expect(writer.publish()).toBe(claimed.length > 0);
          published.push(...claimed.splice(0));
        } else if (what === 'next') {
          expect(reader.empty).toBe(published.length === 0);
          expect(reader.next()).toBe(published.length > 0);
          last = published.shift();
          if (last === undefined) continue;
          expect(payload(reader)).toEqual(new Array(last.length).fill(last.fill));
        } else if (what === 'unread' && last !== undefined) {
          reader.unread();
          published.unshift(last);
          last = undefined;
        } else if (what === 'release') {
          reader.release();
          last = undefined;
        }
      }
    }),
    { numRuns: 300 },
  );
});

describe('ends that are made anew', () => {
  test('a writer goes on where the one before it ended', () => {
    const memory = allocateRing(CAPACITY);
    const reader = new RingReader(memory);
    const first = new RingWriter(memory);
    put(first, 8, 1);
    first.publish();
    put(first, 8, 2); // Claimed, and never published.
    const second = new RingWriter(memory);
    put(second, 8, 3);
    second.publish();
    expect(reader.next()).toBe(true);
    expect(payload(reader)[0]).toBe(1);
    expect(reader.next()).toBe(true);
    expect(payload(reader)[0]).toBe(3);
    expect(reader.next()).toBe(false);
  });

  test('a reader finds once more what the one before it had not released', () => {
    const memory = allocateRing(CAPACITY);
    const writer = new RingWriter(memory);
    const first = new RingReader(memory);
    for (const fill of [1, 2]) put(writer, 8, fill);
    writer.publish();
    first.next();
    first.release();
    first.next();
    const second = new RingReader(memory);
    expect(second.next()).toBe(true);
    expect(payload(second)[0]).toBe(2);
  });
});
