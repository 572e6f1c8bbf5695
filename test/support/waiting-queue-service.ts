/* The queue service in memory, with what the native protocol looks at besides: receives that wait,
 * receipt handles of the real length, and a count of receives that wait at the moment. */

import { EventEmitter } from 'node:events';
import type { ErrorCode } from '../../src/base/errors.ts';
import type {
  EncodedReceive,
  EntryBlock,
  EntrySink,
  MessageSink,
  NativeService,
  ReceiptBlock,
  ResultSink,
} from '../../src/broker/native-service.ts';
import type {
  DeliveredMessage,
  PendingReceive,
  ReceiptSource,
  ReceiveOptions,
  SendOutcome,
} from '../../src/broker/service.ts';
import type { OutgoingMessage } from '../../src/command/message-entry.ts';
import type { QueueDefinition } from '../../src/command/queue-definition.ts';
import {
  changeVisibilityDecoded,
  deleteDecoded,
  receiveDecoded,
  sendDecoded,
} from '../../src/door/socket/encoded-service.ts';
import { FakeQueueService } from './fake-queue-service.ts';

const RECEIPT_BYTES = 27;

export class WaitingQueueService extends FakeQueueService implements NativeService {
  waiting = 0;
  readonly #changes = new EventEmitter().setMaxListeners(0);

  /** Lets receives that wait look again. */
  #changed(): void {
    this.#changes.emit('change');
  }

  /** Moves the clock. */
  pass(ms: number): void {
    this.now += ms;
    this.#changed();
  }

  override async send(
    queue: QueueDefinition,
    messages: readonly OutgoingMessage[],
  ): Promise<SendOutcome[]> {
    const outcomes = await super.send(queue, messages);
    this.#changed();
    return outcomes;
  }

  override async receive(
    queue: QueueDefinition,
    options: ReceiveOptions,
  ): Promise<DeliveredMessage[]> {
    const { signal } = options;
    let messages = await super.receive(queue, options);
    this.waiting++;
    while (messages.length === 0 && options.waitMs !== 0 && !isAborted(signal)) {
      await this.#nextChange(signal);
      if (!isAborted(signal)) messages = await super.receive(queue, options);
    }
    this.waiting--;
    return messages.map((message) => ({
      ...message,
      receiptHandle: Buffer.from(message.receiptHandle.padEnd(RECEIPT_BYTES)).toString('base64url'),
    }));
  }

  #nextChange(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#changes.off('change', done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#changes.once('change', done);
      signal?.addEventListener('abort', done);
    });
  }

  override delete(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
  ): Promise<(ErrorCode | undefined)[]> {
    return super.delete(queue, receipts.map(plain));
  }

  override async changeVisibility(
    queue: QueueDefinition,
    receipts: readonly ReceiptSource[],
    timeoutsMs: readonly number[],
  ): Promise<(ErrorCode | undefined)[]> {
    const results = await super.changeVisibility(queue, receipts.map(plain), timeoutsMs);
    this.#changed();
    return results;
  }

  sendEncoded(queue: QueueDefinition, block: EntryBlock, sink: EntrySink): void {
    sendDecoded(this, queue, block, undefined, sink);
  }

  receiveEncoded(
    queue: QueueDefinition,
    options: EncodedReceive,
    sink: MessageSink,
  ): PendingReceive {
    return receiveDecoded(this, queue, options, sink);
  }

  deleteEncoded(queue: QueueDefinition, block: ReceiptBlock, sink: ResultSink): void {
    deleteDecoded(this, queue, block, sink);
  }

  changeVisibilityEncoded(queue: QueueDefinition, block: ReceiptBlock, sink: ResultSink): void {
    changeVisibilityDecoded(this, queue, block, sink);
  }

  queueName(queueId: number): string | undefined {
    return this.listQueues({ max: 1000 }).find((queue) => queue.queueId === queueId)?.name;
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function plain(receipt: ReceiptSource): string {
  const handle = typeof receipt === 'string' ? receipt : receipt.receiptHandle;
  return Buffer.from(handle, 'base64url').toString('latin1').trimEnd();
}
