/* Entry of the thread that repartitions a data folder; see repartition.ts. */

import { parentPort, workerData } from 'node:worker_threads';
import { type RepartitionOrder, repartition } from './repartition.ts';

const moved = await repartition(workerData as RepartitionOrder);
parentPort?.postMessage(moved);
