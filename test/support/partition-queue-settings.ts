/* Settings of a queue as a partition knows them, for tests. */

import type { QueueSettings } from '../../src/command/queue-definition.ts';

export function partitionQueueSettings(settings: Partial<QueueSettings>): QueueSettings {
  return {
    queueId: 1,
    boardRow: 0,
    fifo: false,
    visibilityTimeoutMs: 30_000,
    delayMs: 0,
    retentionMs: 345_600_000,
    inFlightMax: 120_000,
    deduplicationPerGroup: false,
    placementKey: 0,
    deadLetterQueueId: 0,
    maxReceiveCount: 0,
    ...settings,
  };
}
