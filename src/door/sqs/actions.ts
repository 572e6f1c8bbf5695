/* The table of all actions of the SQS API. */

import type { Action } from './action.ts';
import * as moveTasks from './move-task-actions.ts';
import * as queues from './queue-actions.ts';
import * as receipts from './receipt-actions.ts';
import { receiveMessage } from './receive-actions.ts';
import { sendMessage, sendMessageBatch } from './send-actions.ts';
import * as tags from './tag-actions.ts';

export const ACTIONS: ReadonlyMap<string, Action> = new Map(
  [
    sendMessage,
    sendMessageBatch,
    receiveMessage,
    receipts.deleteMessage,
    receipts.deleteMessageBatch,
    receipts.changeMessageVisibility,
    receipts.changeMessageVisibilityBatch,
    queues.createQueue,
    queues.deleteQueue,
    queues.getQueueUrl,
    queues.listQueues,
    queues.listDeadLetterSourceQueues,
    queues.getQueueAttributes,
    queues.setQueueAttributes,
    queues.purgeQueue,
    tags.tagQueue,
    tags.untagQueue,
    tags.listQueueTags,
    tags.addPermission,
    tags.removePermission,
    moveTasks.startMessageMoveTask,
    moveTasks.listMessageMoveTasks,
    moveTasks.cancelMessageMoveTask,
  ].map((action) => [action.name, action]),
);
