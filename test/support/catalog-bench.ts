/* A catalog on storage in memory, with a record of what it tells others. */

import { SILENT_LOGGER } from '../../src/base/logger.ts';
import { Catalog, type CatalogOptions } from '../../src/catalog/catalog.ts';
import type { CatalogChange } from '../../src/catalog/definitions.ts';
import { MemoryStorage } from './memory-log.ts';

export interface CatalogBench {
  readonly storage: MemoryStorage;
  readonly changes: CatalogChange[];
  readonly catalog: Catalog;
  /** The catalog as a process would find it that starts now. */
  reopen(): CatalogBench;
}

export function catalogBench(
  options: Partial<CatalogOptions> = {},
  storage = new MemoryStorage(),
): CatalogBench {
  const changes: CatalogChange[] = [];
  const catalog = new Catalog({
    openLog: (replay) => storage.open(replay),
    onChange: (change) => {
      changes.push(structuredClone(change));
    },
    logger: SILENT_LOGGER,
    strictWaits: false,
    ...options,
  });
  return { storage, changes, catalog, reopen: () => catalogBench(options, storage) };
}
