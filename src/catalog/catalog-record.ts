/* The catalog's log records. Pure; cold.
 *
 * A record is a msgpack array of two: a kind, and that kind's body. Kinds are never reused. A body
 * may gain fields: what an older record lacks takes its default.
 *
 *   kind   body
 *   1      a queue definition, created or changed
 *   2      a deleted queue: { queueId, name, deletedAtMs }
 *   3      a move task, started or changed
 *   4      { nextQueueId }, so that ids of deleted queues stay unused after a compaction */

import { decode, encode } from '@msgpack/msgpack';
import { BrokerError } from '../base/errors.ts';
import { defaultAttributes, type QueueDefinition } from '../command/queue-definition.ts';
import type { MoveTaskRecord } from './move-task.ts';

export interface DeletedQueue {
  readonly queueId: number;
  readonly name: string;
  readonly deletedAtMs: number;
}

export type CatalogRecord =
  | { readonly kind: 'queue'; readonly body: QueueDefinition }
  | { readonly kind: 'queue-deleted'; readonly body: DeletedQueue }
  | { readonly kind: 'move-task'; readonly body: MoveTaskRecord }
  | { readonly kind: 'counters'; readonly body: { readonly nextQueueId: number } };

const QUEUE = 1;
const QUEUE_DELETED = 2;
const MOVE_TASK = 3;
const COUNTERS = 4;

const KIND_NUMBERS: Readonly<Record<CatalogRecord['kind'], number>> = {
  queue: QUEUE,
  'queue-deleted': QUEUE_DELETED,
  'move-task': MOVE_TASK,
  counters: COUNTERS,
};

export function encodeRecord(record: CatalogRecord): Uint8Array {
  return encode([KIND_NUMBERS[record.kind], record.body], { ignoreUndefined: true });
}

/** Throws CAPSTAN_FORMAT_UNSUPPORTED for what this version does not write: the log's checksums
 *  vouch that somebody did. */
export function decodeRecord(bytes: Uint8Array): CatalogRecord {
  const [kind, body] = decodePair(bytes);
  if (kind === QUEUE && isQueue(body)) return { kind: 'queue', body: withDefaults(body) };
  if (kind === QUEUE_DELETED && isDeletedQueue(body)) return { kind: 'queue-deleted', body };
  if (kind === MOVE_TASK && isMoveTask(body)) return { kind: 'move-task', body };
  if (kind === COUNTERS && isCounters(body)) return { kind: 'counters', body };
  throw unsupported(`a record of kind ${kind} that this version does not know`);
}

function decodePair(bytes: Uint8Array): [number, object] {
  let pair: unknown;
  try {
    pair = decode(bytes);
  } catch (cause) {
    throw unsupported('a record that is not msgpack', cause);
  }
  const [kind, body]: unknown[] = Array.isArray(pair) ? pair : [];
  if (typeof kind !== 'number' || typeof body !== 'object' || body === null) {
    throw unsupported('a record that is no pair of a kind and a body');
  }
  return [kind, body];
}

function isQueue(body: object): body is QueueDefinition {
  return 'queueId' in body && 'name' in body && 'attributes' in body;
}

function isDeletedQueue(body: object): body is DeletedQueue {
  return 'queueId' in body && 'name' in body && 'deletedAtMs' in body;
}

function isMoveTask(body: object): body is MoveTaskRecord {
  return 'taskId' in body && 'sourceQueueId' in body && 'status' in body;
}

function isCounters(body: object): body is { nextQueueId: number } {
  return 'nextQueueId' in body;
}

function withDefaults(definition: QueueDefinition): QueueDefinition {
  const { attributes } = definition;
  return { ...definition, attributes: { ...defaultAttributes(attributes.fifo), ...attributes } };
}

function unsupported(found: string, cause?: unknown): BrokerError {
  return new BrokerError('CAPSTAN_FORMAT_UNSUPPORTED', `The catalog's log holds ${found}.`, {
    cause,
  });
}
