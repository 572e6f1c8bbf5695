/* Preloaded into an unmodified server (`node --import`): its partitions' threads take longer to
 * begin than a thread that runs may be silent. */

import { isMainThread } from 'node:worker_threads';
import { threadStart } from '../../dist/base/early-threads.js';
import { Broker } from '../../dist/broker/broker.js';

const HEARTBEAT_TIMEOUT_MS = 6000;
const SLOW_START_MS = 8000;

if (isMainThread) {
  const prepare = Broker.prepare.bind(Broker);
  Broker.prepare = (options) =>
    prepare.call(Broker, { ...options, heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS });
} else {
  // Before the thread's own code hears of it.
  void threadStart().then((start) => {
    if (start?.partition === undefined) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_START_MS);
  });
}
