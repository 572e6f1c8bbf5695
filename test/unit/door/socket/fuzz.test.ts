import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SILENT_LOGGER } from '../../../../src/base/logger.ts';
import { HANDLERS } from '../../../../src/door/socket/handlers.ts';
import { SessionContext } from '../../../../src/door/socket/session.ts';
import { CLOSE } from '../../../../src/wire/frame.ts';
import { entryBytes, type Frame, message, timed } from '../../../support/native-frames.ts';
import { NativePeer, settle } from '../../../support/native-peer.ts';
import { WaitingQueueService } from '../../../support/waiting-queue-service.ts';

let service: WaitingQueueService;
let context: SessionContext;
let bystander: NativePeer;
const failures: unknown[] = [];

beforeEach(async () => {
  failures.length = 0;
  service = new WaitingQueueService();
  const logger = { ...SILENT_LOGGER, error: (fields: object) => void failures.push(fields) };
  context = new SessionContext({ service, handlers: HANDLERS, logger });
  await service.createQueue('orders', {});
  bystander = new NativePeer(context);
  await bystander.greet();
});
afterEach(() => bystander.close());

const small = fc.nat(3);
const value = fc.oneof(
  small,
  fc.maxSafeNat(),
  fc.string(),
  fc.constant(null),
  fc.double(),
  fc.boolean(),
);
const receipts = fc.integer({ min: 0, max: 3 }).map((count) => Buffer.alloc(27 * count, 1));
const entries = fc.array(fc.record({ body: fc.string() }), { maxLength: 3 }).map((all) => ({
  count: all.length,
  bytes: Buffer.concat(all.map(entryBytes)),
}));

/** Frames that mean something, and frames that nearly do. */
const frame: fc.Arbitrary<Frame> = fc.oneof(
  entries.map(({ count, bytes }): Frame => [3, 1, 0, count, bytes]),
  fc.tuple(small, fc.nat(2)).map(([id, wait]): Frame => [4, id, 0, 1, wait, null, null]),
  receipts.map((bytes): Frame => [5, 3, 0, bytes.length / 27, bytes]),
  small.map((count): Frame => [6, 4, 0, count, timed([Buffer.alloc(27)], count)]),
  fc.tuple(small, small, fc.nat(10)).map(([c, id, credit]): Frame => [8, c, id, 0, credit, null]),
  fc.tuple(small, small).map(([id, credit]): Frame => [9, id, credit]),
  fc.tuple(small, small).map(([c, id]): Frame => [10, c, id]),
  fc
    .tuple(fc.constantFrom('counts', 'peek', 'createQueue', 'x'), fc.dictionary(fc.string(), value))
    .map(([method, args]): Frame => [11, 5, method, args]),
  fc.array(value, { maxLength: 8 }),
);

const bytes = fc.oneof(
  { weight: 3, arbitrary: fc.array(frame, { maxLength: 5 }).map((frames) => message(...frames)) },
  {
    weight: 3,
    arbitrary: fc.tuple(frame, fc.nat(200), fc.nat(255)).map(([one, at, byte]) => {
      const spoilt = Buffer.from(message(one));
      if (spoilt.length > 0) spoilt[at % spoilt.length] = byte;
      return spoilt;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(frame, fc.nat(200)).map(([one, at]) => {
      const whole = message(one);
      return whole.subarray(0, at % (whole.length + 1));
    }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
);

describe('any bytes at all', () => {
  it('close at most the connection they came on, with a reason, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 4 }), async (messages) => {
        const peer = new NativePeer(context);
        await peer.greet();
        for (const each of messages) await peer.sendBytes(each);
        if (peer.closedWith !== undefined) {
          expect(peer.closedWith.code).toBeGreaterThanOrEqual(4400);
          expect(peer.closedWith.code).not.toBe(CLOSE.INTERNAL);
          expect(peer.closedWith.reason).toMatch(/^[\x20-\x7e]+$/);
        }
        peer.close();
        await settle();
        await bystander.send([12, 1]);
        expect(bystander.take()).toEqual([[36, 1]]);
        expect(bystander.closedWith).toBeUndefined();
        expect(failures).toEqual([]);
        expect(service.waiting).toBe(0);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
