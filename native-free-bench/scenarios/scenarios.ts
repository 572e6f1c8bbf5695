/* All scenarios, in the order in which they run. */

import type { Scenario } from '../harness/bench.ts';
import { scenario as backlog1m } from './backlog-1m.ts';
import { scenario as backlog10m } from './backlog-10m.ts';
import { scenario as backlog16k } from './backlog-16k.ts';
import { scenario as bodySizes } from './body-sizes.ts';
import { scenario as connections } from './connections.ts';
import { scenario as embeddedCycle } from './embedded-cycle.ts';
import { scenario as enqueue } from './enqueue.ts';
import { scenario as fairQueue } from './fair-queue.ts';
import { scenario as fifoGroups } from './fifo-groups.ts';
import { scenario as housekeeping } from './housekeeping.ts';
import { scenario as idle } from './idle.ts';
import { scenario as latency } from './latency.ts';
import { scenario as limits } from './limits.ts';
import { scenario as manyQueues } from './many-queues.ts';
import { scenario as peers } from './peers.ts';
import { scenario as peersBacklog } from './peers-backlog.ts';
import { scenario as protocols } from './protocols.ts';
import { scenario as ring } from './ring.ts';
import { scenario as scaling } from './scaling.ts';
import { scenario as singleSends } from './single-sends.ts';
import { scenario as sqsCycle } from './sqs-cycle.ts';
import { scenario as sqsSendBatch } from './sqs-send-batch.ts';
import { scenario as sqsTake } from './sqs-take.ts';
import { scenario as straggler } from './straggler.ts';
import { scenario as wakeUp } from './wake-up.ts';
import { scenario as websocketCycle } from './websocket-cycle.ts';

export const SCENARIOS: readonly Scenario[] = [
  limits,
  ring,
  embeddedCycle,
  websocketCycle,
  enqueue,
  sqsSendBatch,
  sqsCycle,
  sqsTake,
  singleSends,
  latency,
  wakeUp,
  protocols,
  scaling,
  fifoGroups,
  fairQueue,
  manyQueues,
  bodySizes,
  connections,
  idle,
  backlog1m,
  backlog10m,
  backlog16k,
  straggler,
  housekeeping,
  peers,
  peersBacklog,
];
