/* From definitions to what partitions act by. Pure. */

import { placementKeyOf } from '../command/placement.ts';
import type { QueueDefinition, QueueSettings } from '../command/queue-definition.ts';
import type { CatalogChange, Definitions } from './definitions.ts';

/** What a partition needs to know of the queue, as things are. */
export function settingsOf(definition: QueueDefinition, definitions: Definitions): QueueSettings {
  const { attributes, queueId, boardRow } = definition;
  const { redrivePolicy, retryBackoff } = attributes;
  const deadLetterQueue =
    redrivePolicy === undefined ? undefined : definitions.find(redrivePolicy.deadLetterQueue);
  return {
    queueId,
    boardRow,
    fifo: attributes.fifo,
    visibilityTimeoutMs: attributes.visibilityTimeoutMs,
    delayMs: attributes.delayMs,
    retentionMs: attributes.retentionMs,
    inFlightMax: attributes.inFlightMax,
    deduplicationPerGroup: attributes.deduplicationScope === 'messageGroup',
    placementKey: placementKeyOf(definition),
    // While the dead-letter queue does not exist, its sources keep their messages.
    deadLetterQueueId: deadLetterQueue?.queueId ?? 0,
    maxReceiveCount: redrivePolicy?.maxReceiveCount ?? 0,
    ...(retryBackoff === undefined ? {} : { retryBackoff }),
  };
}

/** The queues whose settings `change`, already applied, has changed: the queue itself unless it is
 *  gone, and the sources of a dead-letter queue that has come or gone. */
export function affectedBy(change: CatalogChange, definitions: Definitions): QueueDefinition[] {
  const { name, queueId } = change.definition;
  const affected: QueueDefinition[] = [];
  const itself = definitions.byId(queueId);
  if (change.kind === 'defined' && itself !== undefined) affected.push(itself);
  if (change.kind === 'defined' && !change.created) return affected;
  for (const source of definitions.deadLetterSources(name)) {
    const definition = definitions.find(source);
    if (definition !== undefined && source !== name) affected.push(definition);
  }
  return affected;
}
