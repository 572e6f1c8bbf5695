import { expect, test, vi } from 'vitest';
import { assert, InvariantError } from '../../../src/base/assert.ts';
import { ERRORS } from '../../../src/base/errors.ts';
import { EncodedSender } from '../../../src/broker/encoded-sender.ts';
import { MessageIds } from '../../../src/broker/message-ids.ts';
import { PartitionHandle } from '../../../src/broker/partition-handle.ts';
import { deferred } from '../../../src/broker/requests.ts';
import { Sender } from '../../../src/broker/sender.ts';
import type { SendOutcome } from '../../../src/broker/service.ts';
import * as codec from '../../../src/command/command-codec.ts';
import { partitionOfGroup } from '../../../src/command/placement.ts';
import { allocateDoorbell } from '../../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexServerEnd } from '../../../src/ring/duplex.ts';
import { queueDefinition } from '../../support/queue-definitions.ts';
import { sendEncoded } from '../../support/send-encoded.ts';

const queue = queueDefinition(1, 'orders.fifo', {
  fifo: true,
  deduplicationScope: 'messageGroup',
  throughputLimit: 'perMessageGroupId',
});

/** A group that lives on `partition` of two. */
function groupOn(partition: number): string {
  for (let i = 0; ; i++) {
    if (partitionOfGroup(queue, `g${i}`, 2) === partition) return `g${i}`;
  }
}

/** Refuses what it was asked with `error`. */
function refuse(end: DuplexServerEnd, error: number): void {
  const { requests, replies } = end;
  expect(requests.next()).toBe(true);
  const correlation = requests.view.getUint32(requests.offset + codec.CORRELATION_AT, true);
  requests.release();
  const at = replies.claim(codec.REPLY_HEADER_BYTES);
  codec.writeReplyHeader(replies.view, at, codec.OP_SEND, error, 0, correlation, 0, 0);
  replies.publish();
}

/** Two partitions, as a router and as they see each other. */
function twoPartitions() {
  const handles = [new PartitionHandle(0), new PartitionHandle(1)];
  const ends = handles.map((handle) => {
    const rings = allocateDuplex(4 * 1024 * 1024);
    const doorbells = { routerDoorbell: allocateDoorbell(), partitionDoorbell: allocateDoorbell() };
    handle.attach({ router: 0, ...rings, ...doorbells });
    return new DuplexServerEnd(rings);
  });
  const flush = () => handles.forEach((handle) => handle.flush());
  return { handles, ends, flush };
}

const messages = [0, 1].map((partition) => ({
  body: 'x',
  groupId: groupOn(partition),
  deduplicationId: `d${partition}`,
}));

const CLOCK = () => 1000;
const WAYS = {
  objects: ({ handles, flush }: ReturnType<typeof twoPartitions>) => {
    const result = deferred<SendOutcome[]>();
    new Sender(handles, new MessageIds(), CLOCK, flush).send(queue, messages, result);
    return result.promise;
  },
  entries: ({ handles, flush }: ReturnType<typeof twoPartitions>) => {
    const place = () => handles[0]!;
    const parts = { handles, ids: new MessageIds(), clock: CLOCK, place, flushSoon: flush };
    return sendEncoded(new EncodedSender(parts), queue, messages);
  },
};

test.each(Object.entries(WAYS))(
  'each part of a batch of %s that fails does so with a reason of its own',
  async (_, send) => {
    const partitions = twoPartitions();
    const { handles, ends } = partitions;
    const sent = send(partitions);
    handles[0]!.detach('CAPSTAN_PARTITION_RESTARTING');
    refuse(ends[1]!, ERRORS.CAPSTAN_DISK_FULL.number);
    handles[1]!.drain(() => undefined);
    const codes = (await sent).map(({ error }) => error);
    expect(codes).toEqual(['CAPSTAN_PARTITION_RESTARTING', 'CAPSTAN_DISK_FULL']);
  },
);

test.each(Object.entries(WAYS))(
  'a batch of %s whose parts all fail for one reason fails as a whole',
  async (_, send) => {
    const partitions = twoPartitions();
    const { handles, ends } = partitions;
    const sent = send(partitions);
    for (const [i, end] of ends.entries()) {
      refuse(end, ERRORS.CAPSTAN_DISK_FULL.number);
      handles[i]!.drain(() => undefined);
    }
    await expect(sent).rejects.toMatchObject({ code: 'CAPSTAN_DISK_FULL' });
  },
);

test.each([1, 2])('a defect fails a batch over %d partitions as a whole, once', async (parts) => {
  const { handles, ends, flush } = twoPartitions();
  vi.spyOn(handles[0]!, 'finish').mockImplementationOnce(() => assert(false, 'a defect'));
  const told: unknown[] = [];
  new Sender(handles, new MessageIds(), CLOCK, flush).send(queue, messages.slice(0, parts), {
    resolve: (outcomes) => told.push(outcomes),
    reject: (error) => told.push(error),
  });
  expect(told).toEqual([expect.any(InvariantError)]);
  // What it had begun is answered all the same.
  flush();
  refuse(ends[0]!, ERRORS.CAPSTAN_DISK_FULL.number);
  for (const handle of handles) {
    handle.drain(() => undefined);
    handle.detach('CAPSTAN_PARTITION_RESTARTING');
  }
  expect(told).toHaveLength(1);
});
