/* What a broker tells of its queues and move tasks, the same to a door and to a client. */

export interface QueueCounts {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

export type MoveTaskStatus = 'RUNNING' | 'COMPLETED' | 'CANCELLING' | 'CANCELLED' | 'FAILED';

export interface MoveTask {
  readonly taskId: string;
  readonly source: string;
  /** Undefined: each message goes back to the queue it came from. */
  readonly destination: string | undefined;
  /** 1 .. 500; undefined: as fast as it goes. */
  readonly messagesPerSecondMax: number | undefined;
  readonly status: MoveTaskStatus;
  readonly moved: number;
  readonly toMove: number;
  readonly startedAtMs: number;
  readonly failureReason: string | undefined;
}
