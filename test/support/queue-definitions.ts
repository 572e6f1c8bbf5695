/* Queue definitions for tests that do not care about most of their fields. */

import {
  defaultAttributes,
  type QueueAttributes,
  type QueueDefinition,
} from '../../src/command/queue-definition.ts';

export function queueDefinition(
  queueId: number,
  name: string,
  attributes: Partial<QueueAttributes> = {},
): QueueDefinition {
  return {
    queueId,
    boardRow: queueId,
    name,
    attributes: { ...defaultAttributes(attributes.fifo ?? false), ...attributes },
    tags: {},
    createdAtMs: 1000,
    modifiedAtMs: 1000,
  };
}

/** Attributes of a source of `deadLetterQueue`. */
export function deadLetteringTo(deadLetterQueue: string, maxReceiveCount = 3) {
  return { redrivePolicy: { deadLetterQueue, maxReceiveCount } };
}
