/* What a router asks of the catalog's owner, the main thread: there it is the catalog itself, on a
 * door's thread it is a port to it. */

import type { QueueService } from './service.ts';

export type CatalogCalls = Pick<
  QueueService,
  | 'createQueue'
  | 'setAttributes'
  | 'setTags'
  | 'deleteQueue'
  | 'startMoveTask'
  | 'listMoveTasks'
  | 'cancelMoveTask'
>;

export const CATALOG_METHODS = [
  'createQueue',
  'setAttributes',
  'setTags',
  'deleteQueue',
  'startMoveTask',
  'listMoveTasks',
  'cancelMoveTask',
] as const satisfies readonly (keyof CatalogCalls)[];
export type CatalogMethod = (typeof CATALOG_METHODS)[number];
