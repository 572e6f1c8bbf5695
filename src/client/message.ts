/* A message in a consumer's hands. What it says is decoded when it is asked for. */

import { BrokerError } from '../base/errors.ts';
import { decodeAttributeBlock, type MessageAttribute } from '../command/message-attributes.ts';

/** A receipt handle, or the message that has it. */
export type ReceiptSource = string | Message;

/** What a message asks of its queue. */
export interface MessageQueue {
  readonly name: string;
  delete(receipt: ReceiptSource): Promise<void>;
  extend(receipt: ReceiptSource, timeoutMs: number): Promise<void>;
  release(receipt: ReceiptSource, delayMs?: number): Promise<void>;
}

export abstract class Message {
  readonly queue: MessageQueue;

  constructor(queue: MessageQueue) {
    this.queue = queue;
  }

  /** When it reached this process, on the clock of `performance.now()`. */
  abstract get arrivedAtMs(): number;

  /** A UUID, given by the broker when the message was sent. */
  abstract get messageId(): string;
  /** Names this delivery of the message; see `Queue.delete`. Empty on a message that was peeked. */
  abstract get receiptHandle(): string;
  abstract get body(): Uint8Array;
  /** The body as UTF-8 text. */
  abstract text(): string;
  /** 1 at the first delivery. */
  abstract get receiveCount(): number;
  abstract get sentAtMs(): number;
  abstract get firstReceivedAtMs(): number;
  abstract get sequenceNumber(): number;
  abstract get groupId(): string | undefined;
  abstract get deduplicationId(): string | undefined;
  abstract get traceHeader(): string | undefined;
  /** The queue that it was dead-lettered from. */
  abstract get deadLetterSource(): string | undefined;
  /** See command/message-attributes.ts. */
  abstract get attributeBlock(): Uint8Array | undefined;

  /** By name. */
  get attributes(): Readonly<Record<string, Omit<MessageAttribute, 'name'>>> {
    const block = this.attributeBlock;
    if (block === undefined) return {};
    const entries = decodeAttributeBlock(block).map(
      ({ name, type, value }) => [name, { type, value }] as const,
    );
    return Object.fromEntries(entries);
  }

  /** The body, parsed as JSON. */
  json(): unknown {
    return JSON.parse(this.text());
  }

  /** It is handled: removes it from its queue, durably when the promise resolves. Succeeds also if
   *  it is gone already. */
  async delete(): Promise<void> {
    await this.queue.delete(this);
  }

  /** Keeps it hidden from others for `timeoutMs` from now. */
  async extend(timeoutMs: number): Promise<void> {
    await this.queue.extend(this, timeoutMs);
  }

  /** Gives it up: others see it after `delayMs`. */
  async release(delayMs = 0): Promise<void> {
    await this.queue.release(this, delayMs);
  }
}

/** For what a receipt could not be used for. */
export function receiptError(code: BrokerError['code'], queue: string): BrokerError {
  return new BrokerError(code, `The receipt of a message of "${queue}" does not serve.`);
}
