/* What the SQS scenarios share: batches of 10 over 64 connections, driven by autocannon, and by
 * bare connections that cost the shared cores less. */

import type { Bench } from '../harness/bench.ts';
import type { Reading } from '../harness/rows.ts';
import { autocannonReading, FSYNC, requestCounts } from './standard.ts';

export const SQS_BATCH = 10;
export const SQS_CONNECTIONS = 64;

export function sqsPlan(what: string, client: string, target?: number) {
  return {
    name: `SQS ${what}, ${SQS_CONNECTIONS} connections, ${client}`,
    parameters: { client },
    durability: FSYNC,
    unit: 'msg/s',
    better: 'more' as const,
    target,
  };
}

export interface SqsPair {
  readonly what: string;
  readonly target: number;
  readonly load: 'autocannon-post' | 'autocannon-cycle';
  /** Through autocannon, roughly. */
  readonly requestsPerSecond: number;
  readonly bare: () => Promise<Reading>;
}

/** The same through both clients. */
export async function measureSqs(bench: Bench, pair: SqsPair): Promise<void> {
  const { what, target, load, requestsPerSecond, bare } = pair;
  const settings = {
    ...requestCounts(bench, requestsPerSecond),
    batch: SQS_BATCH,
    connections: SQS_CONNECTIONS,
  };
  await bench.measure(sqsPlan(what, 'autocannon', target), () =>
    autocannonReading(bench, load, settings),
  );
  await bench.measure(sqsPlan(what, 'bare connections', target), bare);
}
