/* Programs that embed the broker and are killed: each is the main of a process of its own, and gets
 * its options as JSON in its only argument. */

import { SILENT_LOGGER } from '../../src/base/logger.ts';
import type { Broker } from '../../src/broker/broker.ts';
import { builtBroker } from '../support/built.ts';

export interface EmbeddedOptions {
  readonly data: string;
  readonly ledgers: string;
  /** Unlike that of any other life. */
  readonly life: number;
}

/** Small segments, so that they are begun and given up all the time. */
const SEGMENT_BYTES = 2 * 1024 * 1024;
/** Nothing hangs in these programs but on a machine that has something else to do. */
const HEARTBEAT_TIMEOUT_MS = 60_000;

export async function openEmbedded(data: string, partitions = 2): Promise<Broker> {
  const BuiltBroker = await builtBroker();
  return BuiltBroker.open({
    data,
    partitions,
    segmentBytes: SEGMENT_BYTES,
    memoryBytes: partitions * SEGMENT_BYTES,
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    logger: SILENT_LOGGER,
  });
}

export function embeddedOptions(): EmbeddedOptions {
  return JSON.parse(process.argv[2]!) as EmbeddedOptions;
}

/** Tells the parent process that work has begun. */
export function announce(): void {
  process.send?.('working');
}
