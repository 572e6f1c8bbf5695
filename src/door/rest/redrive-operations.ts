/* Operations on the redrive of a dead-letter queue. */

import * as z from 'zod';
import { BrokerError } from '../../base/errors.ts';
import { MOVE_RATE_MAX, MOVE_TASKS_KEPT } from '../../base/limits.ts';
import type { MoveTask } from '../../broker/service.ts';
import { NO_BODY, NO_QUERY, type Operation, operation, queueOf } from './operation.ts';
import * as schemas from './schemas.ts';

function taskJson(task: MoveTask): z.output<typeof schemas.MOVE_TASK> {
  return {
    ...task,
    destination: task.destination ?? null,
    messagesPerSecondMax: task.messagesPerSecondMax ?? null,
    failureReason: task.failureReason ?? null,
  };
}

const startRedrive = operation(
  {
    id: 'startRedrive',
    method: 'POST',
    path: '/v1/queues/{queue}/redrive',
    summary: 'Moves the messages of a dead-letter queue back.',
    query: z.strictObject({
      destination: z.string().exactOptional().describe('By default where each one came from.'),
      messagesPerSecondMax: schemas
        .wholeText(1, MOVE_RATE_MAX)
        .exactOptional()
        .describe('By default as fast as it goes.'),
    }),
    body: NO_BODY,
    responses: [{ status: 202, description: 'Started.', schema: schemas.MOVE_TASK }],
    errors: [
      'CAPSTAN_INVALID_ARGUMENT',
      'CAPSTAN_QUEUE_DOES_NOT_EXIST',
      'CAPSTAN_RESOURCE_NOT_FOUND',
      'CAPSTAN_UNSUPPORTED_OPERATION',
    ],
  },
  async (call) => {
    const { destination, messagesPerSecondMax } = call.query;
    const { name } = queueOf(call);
    const task = await call.service.startMoveTask(name, destination, messagesPerSecondMax);
    return { status: 202, body: taskJson(task) };
  },
);

const listRedrives = operation(
  {
    id: 'listRedrives',
    method: 'GET',
    path: '/v1/queues/{queue}/redrive',
    summary: 'Shows how far the redrives of a queue are.',
    query: z.strictObject({
      max: schemas
        .wholeText(1, MOVE_TASKS_KEPT)
        .exactOptional()
        .describe('By default 1, the newest.'),
    }),
    body: NO_BODY,
    responses: [{ status: 200, description: 'Redrives.', schema: schemas.MOVE_TASK_LIST }],
    errors: ['CAPSTAN_INVALID_ARGUMENT', 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
  },
  async (call) => {
    const tasks = await call.service.listMoveTasks(queueOf(call).name, call.query.max ?? 1);
    return { status: 200, body: { tasks: tasks.map(taskJson) } };
  },
);

const cancelRedrive = operation(
  {
    id: 'cancelRedrive',
    method: 'DELETE',
    path: '/v1/queues/{queue}/redrive',
    summary: 'Stops the running redrive of a queue; what was moved stays moved.',
    query: NO_QUERY,
    body: NO_BODY,
    responses: [{ status: 200, description: 'As it stands.', schema: schemas.MOVE_TASK }],
    errors: ['CAPSTAN_QUEUE_DOES_NOT_EXIST', 'CAPSTAN_RESOURCE_NOT_FOUND'],
  },
  async (call) => {
    const { name } = queueOf(call);
    const [newest] = await call.service.listMoveTasks(name, 1);
    if (newest?.status !== 'RUNNING') {
      throw new BrokerError('CAPSTAN_RESOURCE_NOT_FOUND', `No redrive of "${name}" is running.`);
    }
    return { status: 200, body: taskJson(await call.service.cancelMoveTask(newest.taskId)) };
  },
);

export const REDRIVE_OPERATIONS: readonly Operation[] = [startRedrive, listRedrives, cancelRedrive];
