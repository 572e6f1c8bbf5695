/* Tags of queues, and permissions: both are kept and shown, and have no effect here. */

import { TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_MAX } from '../../base/limits.ts';
import { permission } from './access-policy.ts';
import { action, requireQueue } from './action.ts';
import * as shapes from './shapes.ts';
import { missingParameter, SqsError } from './sqs-errors.ts';

function invalid(message: string): SqsError {
  return new SqsError('InvalidParameterValueException', message);
}

/** Rule: SQS TagQueue.
 *  @param existing keys that the queue has already. */
export function checkTags(
  tags: readonly (readonly [key: string, value: string])[],
  queueName: string,
  existing: readonly string[] = [],
): void {
  const keys = new Set([...existing, ...tags.map(([key]) => key)]);
  if (keys.size > TAGS_MAX) throw invalid(`Too many tags added for queue ${queueName}.`);
  for (const [key, value] of tags) {
    if (key.length < 1 || key.length > TAG_KEY_CHARS_MAX || key === '__proto__') {
      throw invalid(`Tag keys must be between 1 and ${TAG_KEY_CHARS_MAX} characters in length.`);
    }
    if (/^aws:/i.test(key)) throw invalid('Tag keys can not start with aws:.');
    if (value.length > TAG_VALUE_CHARS_MAX) {
      throw invalid(`Tag values may not exceed ${TAG_VALUE_CHARS_MAX} characters in length.`);
    }
  }
}

export const tagQueue = action({
  name: 'TagQueue',
  input: shapes.TAG_QUEUE,
  output: shapes.NOTHING,
  async run(context, { QueueUrl, Tags }) {
    const { name, tags } = requireQueue(context, QueueUrl);
    checkTags(Tags, name, Object.keys(tags));
    await context.service.setTags(name, Object.fromEntries(Tags), []);
    return {};
  },
});

export const untagQueue = action({
  name: 'UntagQueue',
  input: shapes.UNTAG_QUEUE,
  output: shapes.NOTHING,
  async run(context, { QueueUrl, TagKeys }) {
    const { name } = requireQueue(context, QueueUrl);
    if (TagKeys.length === 0) throw missingParameter('TagKeys');
    await context.service.setTags(name, {}, TagKeys);
    return {};
  },
});

export const listQueueTags = action({
  name: 'ListQueueTags',
  input: shapes.QUEUE_ONLY,
  output: shapes.LIST_TAGS_RESULT,
  run(context, { QueueUrl }) {
    const tags = Object.entries(requireQueue(context, QueueUrl).tags);
    return tags.length === 0 ? {} : { Tags: tags };
  },
});

export const addPermission = action({
  name: 'AddPermission',
  input: shapes.ADD_PERMISSION,
  output: shapes.NOTHING,
  async run(context, { QueueUrl, Label, AWSAccountIds, Actions }) {
    const { name } = requireQueue(context, QueueUrl);
    const edit = permission(context.addresses.arn(name), Label, AWSAccountIds, Actions);
    await context.service.editPolicy(name, edit);
    return {};
  },
});

export const removePermission = action({
  name: 'RemovePermission',
  input: shapes.REMOVE_PERMISSION,
  output: shapes.NOTHING,
  async run(context, { QueueUrl, Label }) {
    const { name } = requireQueue(context, QueueUrl);
    await context.service.editPolicy(name, { kind: 'remove', label: Label });
    return {};
  },
});
