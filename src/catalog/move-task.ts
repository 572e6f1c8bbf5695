/* A redrive of a dead-letter queue, as the catalog keeps it. */

export type MoveTaskRecordStatus = 'RUNNING' | 'COMPLETED' | 'CANCELLING' | 'CANCELLED' | 'FAILED';

export interface MoveTaskRecord {
  /** Opaque, unique. */
  readonly taskId: string;
  readonly source: string;
  readonly sourceQueueId: number;
  /** Undefined: each message goes back to the queue it came from. */
  readonly destination: string | undefined;
  /** 0: each message's own source. */
  readonly destinationQueueId: number;
  /** 1 .. MOVE_RATE_MAX; undefined: as fast as it goes. */
  readonly messagesPerSecondMax: number | undefined;
  readonly status: MoveTaskRecordStatus;
  readonly moved: number;
  /** Counted at the start. */
  readonly toMove: number;
  readonly startedAtMs: number;
  readonly failureReason: string | undefined;
}

/** True while messages may still be moved by the task. */
export function isUnfinished(task: MoveTaskRecord): boolean {
  return task.status === 'RUNNING' || task.status === 'CANCELLING';
}
