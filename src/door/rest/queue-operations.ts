/* Operations on queues as a whole. */

import * as z from 'zod';
import { QUEUES_LISTED_MAX } from '../../base/limits.ts';
import type { QueueService } from '../../broker/service.ts';
import type { QueueDefinition } from '../../command/queue-definition.ts';
import { jsonBody, NO_BODY, NO_QUERY, type Operation, operation, queueOf } from './operation.ts';
import * as schemas from './schemas.ts';

const FIFO_SUFFIX = '.fifo';

function queueJson(service: QueueService, queue: QueueDefinition): object {
  const { name, tags, createdAtMs, modifiedAtMs } = queue;
  const { redrivePolicy, redriveAllowPolicy, retryBackoff, ...attributes } = queue.attributes;
  return {
    name,
    attributes: {
      ...attributes,
      ...(redrivePolicy === undefined ? {} : { redrivePolicy }),
      ...(redriveAllowPolicy === undefined ? {} : { redriveAllowPolicy }),
      ...(retryBackoff === undefined ? {} : { retryBackoff }),
    },
    tags,
    counts: service.counts(queue),
    createdAtMs,
    modifiedAtMs,
  };
}

const listQueues = operation(
  {
    id: 'listQueues',
    method: 'GET',
    path: '/v1/queues',
    summary: 'Lists queues by name.',
    query: z.strictObject({
      prefix: z.string().exactOptional().describe('Of their names.'),
      max: schemas
        .wholeText(1, QUEUES_LISTED_MAX)
        .exactOptional()
        .describe(`By default ${QUEUES_LISTED_MAX}.`),
      after: z.string().exactOptional().describe('The name after which to go on.'),
    }),
    body: NO_BODY,
    responses: [{ status: 200, description: 'Queues.', schema: schemas.QUEUE_LIST }],
    errors: ['CAPSTAN_INVALID_ARGUMENT'],
  },
  ({ service, query: { prefix, max = QUEUES_LISTED_MAX, after } }) => {
    const queues = service.listQueues({ prefix, max, after });
    const next = queues.length === max ? (queues.at(-1)?.name ?? null) : null;
    return {
      status: 200,
      body: { queues: queues.map((queue) => queueJson(service, queue)), next },
    };
  },
);

const createQueue = operation(
  {
    id: 'createQueue',
    method: 'PUT',
    path: '/v1/queues/{queue}',
    summary: 'Creates a queue.',
    description: 'Repeating it with the same attributes is harmless.',
    query: NO_QUERY,
    body: jsonBody(schemas.QUEUE_CREATION, true),
    responses: [
      { status: 201, description: 'Created, and durable.', schema: schemas.QUEUE },
      { status: 200, description: 'It exists with these attributes.', schema: schemas.QUEUE },
    ],
    errors: [
      'CAPSTAN_INVALID_ARGUMENT',
      'CAPSTAN_QUEUE_NAME_EXISTS',
      'CAPSTAN_QUEUE_DELETED_RECENTLY',
      'CAPSTAN_TOO_MANY_QUEUES',
    ],
  },
  async ({ service, path, body: { tags, ...attributes } }) => {
    const name = path['queue']!;
    const existed = service.findQueue(name) !== undefined;
    const fifo = attributes.fifo ?? name.endsWith(FIFO_SUFFIX);
    const queue = await service.createQueue(name, { ...attributes, fifo }, tags);
    return {
      status: existed ? 200 : 201,
      body: queueJson(service, queue),
      headers: { location: `/v1/queues/${encodeURIComponent(name)}` },
    };
  },
);

const showQueue = operation(
  {
    id: 'showQueue',
    method: 'GET',
    path: '/v1/queues/{queue}',
    summary: 'Shows a queue: its attributes, and how many messages it holds.',
    query: NO_QUERY,
    body: NO_BODY,
    responses: [{ status: 200, description: 'The queue.', schema: schemas.QUEUE_DETAIL }],
    errors: ['CAPSTAN_QUEUE_DOES_NOT_EXIST'],
  },
  async (call) => {
    const { service } = call;
    const queue = queueOf(call);
    const oldestSentAtMs = (await service.oldestSentAtMs(queue)) ?? null;
    const deadLetterSources = service.listDeadLetterSources(queue.name);
    return {
      status: 200,
      body: { ...queueJson(service, queue), oldestSentAtMs, deadLetterSources },
    };
  },
);

const changeQueue = operation(
  {
    id: 'changeQueue',
    method: 'PATCH',
    path: '/v1/queues/{queue}',
    summary: "Changes a queue's attributes and tags.",
    query: NO_QUERY,
    body: jsonBody(schemas.QUEUE_CHANGE),
    responses: [{ status: 200, description: 'Changed, and durable.', schema: schemas.QUEUE }],
    errors: ['CAPSTAN_INVALID_ARGUMENT', 'CAPSTAN_QUEUE_DOES_NOT_EXIST'],
  },
  async (call) => {
    const { service, body } = call;
    const { tags, ...changes } = body;
    let queue = queueOf(call);
    if (Object.keys(changes).length > 0) {
      queue = await service.setAttributes(queue.name, changes);
    }
    if (tags !== undefined) {
      const add: Record<string, string> = {};
      const remove: string[] = [];
      for (const [key, value] of Object.entries(tags)) {
        if (value === null) remove.push(key);
        else add[key] = value;
      }
      queue = await service.setTags(queue.name, add, remove);
    }
    return { status: 200, body: queueJson(service, queue) };
  },
);

const deleteQueue = operation(
  {
    id: 'deleteQueue',
    method: 'DELETE',
    path: '/v1/queues/{queue}',
    summary: 'Deletes a queue with all its messages.',
    query: NO_QUERY,
    body: NO_BODY,
    responses: [{ status: 204, description: 'Deleted.' }],
    errors: ['CAPSTAN_QUEUE_DOES_NOT_EXIST'],
  },
  async (call) => {
    await call.service.deleteQueue(queueOf(call).name);
    return { status: 204 };
  },
);

const purgeQueue = operation(
  {
    id: 'purgeQueue',
    method: 'POST',
    path: '/v1/queues/{queue}/purge',
    summary: 'Removes every message sent before the call.',
    query: NO_QUERY,
    body: NO_BODY,
    responses: [{ status: 204, description: 'Purged.' }],
    errors: ['CAPSTAN_QUEUE_DOES_NOT_EXIST', 'CAPSTAN_PURGE_IN_PROGRESS'],
  },
  async (call) => {
    await call.service.purge(queueOf(call));
    return { status: 204 };
  },
);

export const QUEUE_OPERATIONS: readonly Operation[] = [
  listQueues,
  createQueue,
  showQueue,
  changeQueue,
  deleteQueue,
  purgeQueue,
];
