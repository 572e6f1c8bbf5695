/* What a router asks of the catalog's owner, the main thread: there it is the catalog itself, on a
 * door's thread it is a port to it. */

import type { QueueService } from './service.ts';

export interface CatalogCalls extends CatalogService {
  /** Rejects CAPSTAN_PURGE_IN_PROGRESS while the queue must not be purged again. */
  admitPurge(queueId: number): Promise<void>;
}

type CatalogService = Pick<
  QueueService,
  | 'createQueue'
  | 'setAttributes'
  | 'setTags'
  | 'editPolicy'
  | 'deleteQueue'
  | 'startMoveTask'
  | 'listMoveTasks'
  | 'cancelMoveTask'
>;

export const CATALOG_METHODS = [
  'createQueue',
  'setAttributes',
  'setTags',
  'editPolicy',
  'admitPurge',
  'deleteQueue',
  'startMoveTask',
  'listMoveTasks',
  'cancelMoveTask',
] as const satisfies readonly (keyof CatalogCalls)[];
export type CatalogMethod = (typeof CATALOG_METHODS)[number];
