/* Calls on queues as such, over CALL frames. */

import { QUEUES_LISTED_MAX } from '../base/limits.ts';
import type { QueueCalls } from './transport.ts';
import type { MoveTask, QueueCounts, QueueDefinition } from './types.ts';

/** @param call `once`: not to be sent again when its answer is lost with a connection. */
export function remoteCalls(
  call: (
    method: string,
    args: Readonly<Record<string, unknown>>,
    once: boolean,
  ) => Promise<unknown>,
): QueueCalls {
  const one = (value: unknown) => value as QueueDefinition;
  return {
    createQueue: async (queue, attributes, tags) =>
      one(await call('createQueue', { queue, attributes, tags }, false)),
    setAttributes: async (queue, attributes) =>
      one(await call('setAttributes', { queue, attributes }, false)),
    setTags: async (queue, add, remove) =>
      one(await call('setTags', { queue, add, remove }, false)),
    deleteQueue: async (queue) => void (await call('deleteQueue', { queue }, true)),
    findQueue: async (queue) =>
      ((await call('findQueue', { queue }, false)) ?? undefined) as QueueDefinition | undefined,
    listQueues: async ({ prefix, max = QUEUES_LISTED_MAX, after }) => {
      const found: QueueDefinition[] = [];
      while (found.length < max) {
        const page = { prefix, max: max - found.length, after: found.at(-1)?.name ?? after };
        const more = (await call('listQueues', page, false)) as QueueDefinition[];
        // One answer holds so many bytes: only an empty one is the end.
        if (more.length === 0) break;
        found.push(...more);
      }
      return found;
    },
    listDeadLetterSources: async (queue) =>
      (await call('listDeadLetterSources', { queue }, false)) as string[],
    purge: async (queue) => void (await call('purge', { queue }, true)),
    counts: async (queue) => (await call('counts', { queue }, false)) as QueueCounts,
    oldestSentAtMs: async (queue) =>
      ((await call('oldestSentAtMs', { queue }, false)) ?? undefined) as number | undefined,
    startMoveTask: async (source, destination, messagesPerSecondMax) =>
      taskOf(await call('startMoveTask', { source, destination, messagesPerSecondMax }, true)),
    listMoveTasks: async (source, max) =>
      ((await call('listMoveTasks', { source, max }, false)) as unknown[]).map(taskOf),
    cancelMoveTask: async (taskId) => taskOf(await call('cancelMoveTask', { taskId }, false)),
  };
}

/** What is undefined crosses the connection as nil. */
function taskOf(value: unknown): MoveTask {
  const task = value as { [Key in keyof MoveTask]: MoveTask[Key] | null };
  return {
    ...(task as MoveTask),
    destination: task.destination ?? undefined,
    messagesPerSecondMax: task.messagesPerSecondMax ?? undefined,
    failureReason: task.failureReason ?? undefined,
  };
}
