/* Gives a data folder another number of partitions, before any of them runs. Main thread; the work
 * is done on a thread of its own.
 *
 * Crash-safe: the new logs are written beside the old ones, which stand until the folder's metadata
 * names the new layout. */

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { BrokerError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { ownModule } from '../base/own-code.ts';
import { workerArguments } from '../base/worker-arguments.ts';
import type { Definitions } from '../catalog/definitions.ts';
import { settingsOf } from '../catalog/queue-settings.ts';
import type { LogSettings } from '../command/thread-protocol.ts';
import type { DataFolder } from '../log/wal/data-folder.ts';

const WORKER_URL = ownModule('partition/repartition-worker.js');

export interface RelayoutOptions {
  readonly partitions: number;
  readonly definitions: Definitions;
  /** The settings of a log in `directory`. */
  readonly logIn: (directory: string) => LogSettings;
  readonly now: number;
  readonly logger: Logger;
}

/** Returns the folder as it is then; `folder` is closed. Rejects CAPSTAN_LOG_CORRUPT and whatever
 *  else keeps an old log from being read or a new one from being written; the folder is as it
 *  was. */
export async function relayoutFolder(
  folder: DataFolder,
  { partitions, definitions, logIn, now, logger }: RelayoutOptions,
): Promise<DataFolder> {
  const began = performance.now();
  const to = Array.from({ length: partitions }, (_, p) => folder.nextPartitionDirectory(p));
  for (const directory of to) rmSync(directory, { recursive: true, force: true });
  const from = Array.from({ length: folder.partitions }, (_, p) => folder.partitionDirectory(p));
  const queues = [...definitions.all()];
  const worker = new Worker(WORKER_URL, {
    name: 'repartition',
    ...workerArguments(),
    workerData: {
      from: from.map(logIn),
      to: to.map(logIn),
      definitions: queues,
      settings: queues.map((queue) => settingsOf(queue, definitions)),
      now,
    },
  });
  const messages = await resultOf(worker);
  const durationMs = Math.round(performance.now() - began);
  const change = { from: folder.partitions, to: partitions, messages, durationMs };
  logger.info(change, 'the data folder has another number of partitions now');
  return folder.relayout(partitions);
}

async function resultOf(worker: Worker): Promise<unknown> {
  try {
    const [messages] = await once(worker, 'message');
    return messages;
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    // An error loses its class on the way between threads, but not its fields.
    const { code, message } = error as { code?: string; message?: string };
    const known = code === 'CAPSTAN_LOG_CORRUPT' ? code : 'CAPSTAN_PARTITION_FAILED';
    throw new BrokerError(known, `The partitions cannot be laid out anew: ${message}.`, {
      cause: error,
    });
  } finally {
    await worker.terminate();
  }
}
