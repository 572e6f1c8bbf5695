/* The built package, typed by its sources. What starts threads runs as users run it: worker URLs
 * name compiled files. Needs `npm run build` first. */

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The repository, wherever this file has been compiled to. */
export const ROOT = path.dirname(createRequire(import.meta.url).resolve('capstan/package.json'));

export function builtFile(file: string): URL {
  return pathToFileURL(path.join(ROOT, 'dist', file));
}

function built<Module>(file: string): Promise<Module> {
  return import(builtFile(file).href) as Promise<Module>;
}

export function builtEarlyThreads(): Promise<typeof import('../../src/base/early-threads.ts')> {
  return built('base/early-threads.js');
}

export async function builtBroker(): Promise<
  typeof import('../../src/broker/broker.ts')['Broker']
> {
  const module = await built<typeof import('../../src/broker/broker.ts')>('broker/broker.js');
  return module.Broker;
}

export async function builtSyncThread(): Promise<
  typeof import('../../src/partition/sync-thread.ts')['SyncThread']
> {
  const module = await built<typeof import('../../src/partition/sync-thread.ts')>(
    'partition/sync-thread.js',
  );
  return module.SyncThread;
}
