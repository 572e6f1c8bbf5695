/* A door thread that ends is started anew, with a router of the same number: it takes over the
 * rings to the partitions, which go on, and whatever is in them. */

import { expect, test } from 'vitest';
import { NO_ERROR } from '../../../src/base/errors.ts';
import { PartitionHandle } from '../../../src/broker/partition-handle.ts';
import { ask } from '../../../src/broker/requests.ts';
import * as codec from '../../../src/command/command-codec.ts';
import { allocateDoorbell } from '../../../src/ring/doorbell.ts';
import { allocateDuplex, DuplexServerEnd } from '../../../src/ring/duplex.ts';

const link = {
  router: 1,
  ...allocateDuplex(1024),
  routerDoorbell: allocateDoorbell(),
  partitionDoorbell: allocateDoorbell(),
};
const partition = new DuplexServerEnd(link);

function routerOfLife(life: number): PartitionHandle {
  const handle = new PartitionHandle(0, life);
  handle.attach(link);
  return handle;
}

/** Asks for a look at queue `queueId`; resolves with what was answered. */
function inspect(handle: PartitionHandle, queueId: number): Promise<number> {
  return ask(handle, codec.OP_INSPECT, 0, queueId, 0, undefined, (_, view, at) =>
    view.getUint32(at + codec.FIRST_AT, true),
  );
}

/** Answers each request with the number of the queue that it is about; returns those numbers. */
function answerAll(): number[] {
  const { requests, replies } = partition;
  const asked: number[] = [];
  while (requests.next()) {
    const { view, offset } = requests;
    const correlation = view.getUint32(offset + codec.CORRELATION_AT, true);
    const queueId = view.getUint32(offset + codec.QUEUE_ID_AT, true);
    asked.push(queueId);
    const at = replies.claim(codec.REPLY_HEADER_BYTES);
    const { view: to } = replies;
    codec.writeReplyHeader(to, at, codec.OP_INSPECT, NO_ERROR, 0, correlation, queueId, 0);
  }
  requests.release();
  replies.publish();
  return asked;
}

test('a router started anew asks only what it asks itself, and is answered only that', async () => {
  const first = routerOfLife(0);
  const answered = inspect(first, 7);
  expect(answerAll()).toEqual([7]);
  first.drain(() => undefined);
  expect(await answered).toBe(7);
  void inspect(first, 8); // Its thread ends here: nobody hears of this one.

  const second = routerOfLife(1);
  const heard = inspect(second, 9);
  expect(answerAll()).toEqual([8, 9]);
  second.drain(() => undefined);
  expect(await heard).toBe(9);
  expect(second.pendingCount).toBe(0);
});
