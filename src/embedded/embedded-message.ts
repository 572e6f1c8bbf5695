/* A message of an embedded broker: what the engine delivered, with what its holder can do to it. */

import type { DeliveredMessage } from '../broker/service.ts';
import { Message, type MessageQueue } from '../client/message.ts';

export class EmbeddedMessage extends Message {
  readonly arrivedAtMs: number;
  readonly delivered: DeliveredMessage;
  /** It was only looked at: there is no receipt for it. */
  readonly peeked: boolean;

  constructor(
    queue: MessageQueue,
    arrivedAtMs: number,
    delivered: DeliveredMessage,
    peeked: boolean,
  ) {
    super(queue);
    this.arrivedAtMs = arrivedAtMs;
    this.delivered = delivered;
    this.peeked = peeked;
  }

  get messageId(): string {
    return this.delivered.messageId;
  }

  get receiptHandle(): string {
    return this.peeked ? '' : this.delivered.receiptHandle;
  }

  get body(): Uint8Array {
    return this.delivered.body;
  }

  text(): string {
    return this.delivered.text();
  }

  get receiveCount(): number {
    return this.delivered.receiveCount;
  }

  get sentAtMs(): number {
    return this.delivered.sentAtMs;
  }

  get firstReceivedAtMs(): number {
    return this.delivered.firstReceivedAtMs;
  }

  get sequenceNumber(): number {
    return this.delivered.sequenceNumber;
  }

  get groupId(): string | undefined {
    return this.delivered.groupId;
  }

  get deduplicationId(): string | undefined {
    return this.delivered.deduplicationId;
  }

  get traceHeader(): string | undefined {
    return this.delivered.traceHeader;
  }

  get deadLetterSource(): string | undefined {
    return this.delivered.deadLetterSource;
  }

  get attributeBlock(): Uint8Array | undefined {
    return this.delivered.attributeBlock;
  }
}
