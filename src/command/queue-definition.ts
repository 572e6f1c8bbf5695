/* What a queue is: the catalog keeps these, routers and partitions act by them. */

import {
  IN_FLIGHT_MAX_FIFO,
  IN_FLIGHT_MAX_STANDARD,
  MESSAGE_BYTES_MAX,
  RETENTION_MS_DEFAULT,
  VISIBILITY_TIMEOUT_MS_DEFAULT,
} from '../base/limits.ts';

/** Where messages go that were received too often. */
export interface RedrivePolicy {
  /** Name of the dead-letter queue; it is of the same kind (standard or FIFO) as its source. */
  readonly deadLetterQueue: string;
  /** 1 .. 1000. */
  readonly maxReceiveCount: number;
}

/** Which queues may name this one as their dead-letter queue. */
export interface RedriveAllowPolicy {
  readonly permission: 'allowAll' | 'denyAll' | 'byQueue';
  /** Names; for `byQueue` only, 1 .. 10. */
  readonly sourceQueues: readonly string[];
}

/** How the delay before a redelivery grows: `min(maxMs, baseMs * factor^(receiveCount - 1))` is
 *  the least time that a message whose visibility ran out or was set to 0 stays hidden. */
export interface RetryBackoff {
  readonly baseMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** Everything about a queue that its owner can set. Ranges: SQS.md's table of limits. */
export interface QueueAttributes {
  readonly visibilityTimeoutMs: number;
  readonly delayMs: number;
  readonly retentionMs: number;
  readonly messageBytesMax: number;
  /** How long a receive waits that does not say. */
  readonly receiveWaitMs: number;
  readonly fifo: boolean;
  readonly contentBasedDeduplication: boolean;
  readonly deduplicationScope: 'queue' | 'messageGroup';
  readonly throughputLimit: 'perQueue' | 'perMessageGroupId';
  readonly inFlightMax: number;
  readonly redrivePolicy?: RedrivePolicy | undefined;
  readonly redriveAllowPolicy?: RedriveAllowPolicy | undefined;
  readonly retryBackoff?: RetryBackoff | undefined;
  /** Stored and returned, with no effect: Policy, KmsMasterKeyId,
   *  KmsDataKeyReusePeriodSeconds, SqsManagedSseEnabled. Keyed by their SQS names. */
  readonly stored: Readonly<Record<string, string>>;
}

/** Ids above are those of transit queues, which only partitions know. */
export const QUEUE_ID_MAX = 0xffff_feff;
const TRANSIT_ID_FIRST = QUEUE_ID_MAX + 1;

/** The id of the queue in which a partition keeps what has to go to `partition`. */
export function transitQueueId(partition: number): number {
  return TRANSIT_ID_FIRST + partition;
}

export function isTransitQueueId(queueId: number): boolean {
  return queueId > QUEUE_ID_MAX;
}

/** A queue as the catalog holds it. */
export interface QueueDefinition {
  /** Never reused, also after the queue is deleted. 1 .. QUEUE_ID_MAX. */
  readonly queueId: number;
  /** The queue's row on the board; reused after the queue is deleted. 0 .. QUEUES_MAX - 1. */
  readonly boardRow: number;
  readonly name: string;
  readonly attributes: QueueAttributes;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
}

export function defaultAttributes(fifo: boolean): QueueAttributes {
  return {
    visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS_DEFAULT,
    delayMs: 0,
    retentionMs: RETENTION_MS_DEFAULT,
    messageBytesMax: MESSAGE_BYTES_MAX,
    receiveWaitMs: 0,
    fifo,
    contentBasedDeduplication: false,
    deduplicationScope: 'queue',
    throughputLimit: 'perQueue',
    inFlightMax: fifo ? IN_FLIGHT_MAX_FIFO : IN_FLIGHT_MAX_STANDARD,
    stored: {},
  };
}

/** What a partition needs to know of a queue. Sent to it whenever the definition changes and after
 *  every start; a partition does not log it. */
export interface QueueSettings {
  readonly queueId: number;
  readonly boardRow: number;
  readonly fifo: boolean;
  readonly visibilityTimeoutMs: number;
  readonly delayMs: number;
  readonly retentionMs: number;
  readonly inFlightMax: number;
  /** FIFO: whether equal deduplication ids in different groups are duplicates. */
  readonly deduplicationPerGroup: boolean;
  /** FIFO: what places all of its groups on one partition, or BY_GROUP; see placement.ts. */
  readonly placementKey: number;
  /** 0: none. */
  readonly deadLetterQueueId: number;
  readonly maxReceiveCount: number;
  readonly retryBackoff?: RetryBackoff | undefined;
}
