import { expect, test } from 'vitest';
import { ERRORS } from '../../../src/base/errors.ts';
import { MessageIds } from '../../../src/broker/message-ids.ts';
import { PartitionHandle } from '../../../src/broker/partition-handle.ts';
import { Sender } from '../../../src/broker/sender.ts';
import * as codec from '../../../src/command/command-codec.ts';
import { partitionOfGroup } from '../../../src/command/placement.ts';
import { allocateDoorbell } from '../../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexServerEnd } from '../../../src/ring/duplex.ts';
import { queueDefinition } from '../../support/queue-definitions.ts';

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

test('each part of a batch that fails does so with a reason of its own', async () => {
  const handles = [new PartitionHandle(0), new PartitionHandle(1)];
  const ends = handles.map((handle) => {
    const rings = allocateDuplex(4 * 1024 * 1024);
    const doorbells = { routerDoorbell: allocateDoorbell(), partitionDoorbell: allocateDoorbell() };
    handle.attach({ router: 0, ...rings, ...doorbells });
    return new DuplexServerEnd(rings);
  });
  const flush = () => handles.forEach((handle) => handle.flush());
  const sender = new Sender(handles, new MessageIds(), () => 1000, flush);
  const messages = [0, 1].map((partition) => ({
    body: 'x',
    groupId: groupOn(partition),
    deduplicationId: `d${partition}`,
  }));
  const sent = sender.send(queue, messages);
  handles[0]!.detach('CAPSTAN_PARTITION_RESTARTING');
  refuse(ends[1]!, ERRORS.CAPSTAN_DISK_FULL.number);
  handles[1]!.drain(() => undefined);
  const codes = (await sent).map(({ error }) => error);
  expect(codes).toEqual(['CAPSTAN_PARTITION_RESTARTING', 'CAPSTAN_DISK_FULL']);
});
