/* Message move tasks: the redrive of a dead-letter queue. */

import { BrokerError } from '../../base/errors.ts';
import { MOVE_RATE_MAX, MOVE_TASKS_KEPT } from '../../base/limits.ts';
import type { MoveTask } from '../../broker/service.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import { action, type SqsContext } from './action.ts';
import { queueNameOfArn } from './queue-address.ts';
import * as shapes from './shapes.ts';
import { invalidParameter, SqsError } from './sqs-errors.ts';

function queueOfArn(
  { service }: SqsContext,
  arn: string,
  parameter: 'SourceArn' | 'DestinationArn',
): QueueDefinition {
  const name = queueNameOfArn(arn);
  if (name === undefined) {
    throw new SqsError(
      'InvalidParameterValueException',
      'You must use this format to specify the ' +
        `${parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
    );
  }
  const queue = service.findQueue(name);
  if (queue !== undefined) return queue;
  throw new SqsError(
    'ResourceNotFoundException',
    `The resource that you specified for the ${parameter} parameter doesn't exist.`,
  );
}

export const startMessageMoveTask = action({
  name: 'StartMessageMoveTask',
  input: shapes.START_MOVE_TASK,
  output: shapes.START_MOVE_TASK_RESULT,
  async run(context, input) {
    const { SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond: rate } = input;
    const { service } = context;
    const source = queueOfArn(context, SourceArn, 'SourceArn');
    const destination =
      DestinationArn === undefined
        ? undefined
        : queueOfArn(context, DestinationArn, 'DestinationArn');
    if (service.listDeadLetterSources(source.name).length === 0) {
      throw new SqsError(
        'InvalidParameterValueException',
        'Source queue must be configured as a Dead Letter Queue.',
      );
    }
    if (destination?.name === source.name) {
      throw new SqsError(
        'InvalidParameterValueException',
        'Source queue arn and destination queue arn cannot be the same.',
      );
    }
    if (rate !== undefined && (rate < 1 || rate > MOVE_RATE_MAX)) {
      const reason = `Must be between 1 and ${MOVE_RATE_MAX}, if provided.`;
      throw invalidParameter('MaxNumberOfMessagesPerSecond', rate, reason);
    }
    const { taskId } = await service.startMoveTask(source.name, destination?.name, rate);
    return { TaskHandle: taskId };
  },
});

export const listMessageMoveTasks = action({
  name: 'ListMessageMoveTasks',
  input: shapes.LIST_MOVE_TASKS,
  output: shapes.LIST_MOVE_TASKS_RESULT,
  async run(context, { SourceArn, MaxResults = 1 }) {
    const source = queueOfArn(context, SourceArn, 'SourceArn');
    if (MaxResults < 1 || MaxResults > MOVE_TASKS_KEPT) {
      const reason = `Must be between 1 and ${MOVE_TASKS_KEPT}, if provided.`;
      throw invalidParameter('MaxResults', MaxResults, reason);
    }
    const tasks = await context.service.listMoveTasks(source.name, MaxResults);
    if (tasks.length === 0) return {};
    return { Results: tasks.map((task) => taskResult(task, context)) };
  },
});

function taskResult(task: MoveTask, { addresses }: SqsContext) {
  const { destination, status } = task;
  return {
    // Rule: SQS; only a running task has a handle, for there is nothing to cancel otherwise.
    TaskHandle: status === 'RUNNING' ? task.taskId : undefined,
    Status: status,
    SourceArn: addresses.arn(task.source),
    DestinationArn: destination === undefined ? undefined : addresses.arn(destination),
    MaxNumberOfMessagesPerSecond: task.messagesPerSecondMax,
    ApproximateNumberOfMessagesMoved: task.moved,
    ApproximateNumberOfMessagesToMove: task.toMove,
    FailureReason: task.failureReason,
    StartedTimestamp: task.startedAtMs,
  };
}

export const cancelMessageMoveTask = action({
  name: 'CancelMessageMoveTask',
  input: shapes.CANCEL_MOVE_TASK,
  output: shapes.CANCEL_MOVE_TASK_RESULT,
  async run(context, { TaskHandle }) {
    try {
      const task = await context.service.cancelMoveTask(TaskHandle);
      return { ApproximateNumberOfMessagesMoved: task.moved };
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== 'CAPSTAN_RESOURCE_NOT_FOUND')
        throw error;
      throw new SqsError('ResourceNotFoundException', 'Task does not exist.', { cause: error });
    }
  },
});
