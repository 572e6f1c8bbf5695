/* The paths whose cost is explained, with the very settings that their rows are measured with. */

import type { Bench } from '../harness/bench.ts';
import type { Reading } from '../harness/rows.ts';
import { embeddedCycle } from '../scenarios/embedded-cycle.ts';
import { singleSends } from '../scenarios/single-sends.ts';
import { bareSqsCycle } from '../scenarios/sqs-cycle.ts';
import { bareSendBatch } from '../scenarios/sqs-send-batch.ts';
import { websocketCycle } from '../scenarios/websocket-cycle.ts';

export interface CostPath {
  readonly name: string;
  /** One load, against a fresh server. */
  readonly run: (bench: Bench) => Promise<Reading>;
}

export const COST_PATHS: readonly CostPath[] = [
  { name: 'embedded, batches of 100, full cycle', run: (bench) => embeddedCycle(bench, 100) },
  { name: 'WebSocket, batches of 100, full cycle', run: (bench) => websocketCycle(bench, 100) },
  { name: 'WebSocket, single sends', run: (bench) => singleSends(bench, 'websocket') },
  { name: 'SQS over HTTP, SendMessage', run: (bench) => singleSends(bench, 'sqs-json') },
  { name: 'SQS over HTTP, SendMessageBatch of 10', run: bareSendBatch },
  { name: 'SQS over HTTP, full cycle in batches of 10', run: bareSqsCycle },
];
