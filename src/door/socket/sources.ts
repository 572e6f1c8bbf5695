/* Deliveries name the queue that a message was dead-lettered from by its id; the client is told the
 * name once per connection, before the first such delivery. */

import * as delivery from '../../wire/delivery.ts';
import { FRAME } from '../../wire/frame.ts';
import type { Session } from './session.ts';

export function announceSources(
  session: Session,
  bytes: Uint8Array,
  at: number,
  count: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let from = at;
  for (let i = 0; i < count; i++) {
    const source = view.getUint32(from + delivery.DELIVERY_SOURCE_AT, true);
    if (source !== 0 && !session.announcedSources.has(source)) announce(session, source);
    from = delivery.deliveryEnd(view, from, bytes.length);
  }
}

function announce(session: Session, source: number): void {
  const name = session.service.queueName(source);
  if (name === undefined) return; // The queue is gone; so is its name.
  session.announcedSources.add(source);
  const { writer } = session;
  writer.array(3);
  writer.uint(FRAME.QUEUE_NAME);
  writer.uint(source);
  writer.string(name);
}
