/* What users of Capstan hold in their hands, whether the broker is embedded or remote. */

import type { BrokerError, ErrorCode } from '../base/errors.ts';
import type {
  QueueAttributes,
  QueueDefinition,
  RedriveAllowPolicy,
  RedrivePolicy,
  RetryBackoff,
} from '../command/queue-definition.ts';

export type { MoveTask, QueueCounts } from '../command/queue-facts.ts';
export type { QueueAttributes, QueueDefinition, RedriveAllowPolicy, RedrivePolicy, RetryBackoff };

/** An attribute of a message: a text is a `String`, a number a `Number`, bytes are a `Binary`; or
 *  with its type, which may have a suffix of your own: `{ type: 'Number.float', value: '1.5' }`. */
export type AttributeInput =
  | string
  | number
  | Uint8Array
  | { readonly type: string; readonly value: string | Uint8Array };

/** A message to be sent. */
export interface MessageInput {
  /** Text is sent as UTF-8. */
  readonly body: string | Uint8Array;
  /** 1 .. 128 bytes. On a FIFO queue messages of one group keep their order; on a standard queue
   *  they share a partition. */
  readonly groupId?: string | undefined;
  /** 1 .. 128 bytes, FIFO queues only: within five minutes, the same id is enqueued once. */
  readonly deduplicationId?: string | undefined;
  /** Undefined: the queue's. */
  readonly delayMs?: number | undefined;
  /** At most 10. */
  readonly attributes?: Readonly<Record<string, AttributeInput>> | undefined;
  /** At most 255 bytes. */
  readonly traceHeader?: string | undefined;
}

/** What became of one message of a batch. */
export interface SendResult {
  /** Undefined: accepted, and durable. */
  readonly error: ErrorCode | undefined;
  /** A UUID. Of a duplicate: the id of the message accepted first. */
  readonly messageId: string;
  /** On a FIFO queue it grows within each group. */
  readonly sequenceNumber: number;
}

/** Attributes of a queue to be set. */
export type AttributeChanges = {
  readonly [Key in keyof QueueAttributes]?: QueueAttributes[Key] | undefined;
};

export interface RequestOptions {
  /** Gives up waiting for the answer; what was asked may still happen. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects CAPSTAN_TIMEOUT. Remote only; undefined: that of the connection. */
  readonly timeoutMs?: number | undefined;
}

export interface ReceiveOptions extends RequestOptions {
  /** 1 .. 1000, by default 1; fewer may come. */
  readonly max?: number | undefined;
  /** 0 .. 20_000; undefined: the queue's. */
  readonly waitMs?: number | undefined;
  /** 0 .. 43_200_000; undefined: the queue's. */
  readonly visibilityTimeoutMs?: number | undefined;
  /** FIFO: the same id within five minutes brings the same messages, if they still may be. */
  readonly attemptId?: string | undefined;
}

export interface ListQueuesOptions {
  readonly prefix?: string | undefined;
  /** 1 .. 1000, by default 1000. */
  readonly max?: number | undefined;
  /** The name after which to go on. */
  readonly after?: string | undefined;
}

/** Of a remote broker, its connection's; an embedded one is connected until it is closed. */
export type BrokerState = 'connecting' | 'connected' | 'reconnecting' | 'closed';

/** `error`: why the connection was lost, if it was. */
export type StateListener = (state: BrokerState, error: BrokerError | undefined) => void;
