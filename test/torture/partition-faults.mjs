/* Preloaded into an unmodified server (`node --import`): SIGUSR2 makes one of its partitions throw,
 * exit or hang, each in turn, and never more often than a partition is restarted for. */

import { isMainThread } from 'node:worker_threads';
import { Broker } from '../../dist/broker/broker.js';
import { FAULT_KINDS } from '../../dist/command/command-codec.js';

/** One less than the restart intensity: others make partitions restart as well. */
const FAULTS_PER_MINUTE = 3;

if (isMainThread) {
  const prepare = Broker.prepare.bind(Broker);
  Broker.prepare = async (options) => {
    const broker = await prepare.call(Broker, {
      ...options,
      faults: true,
      heartbeatTimeoutMs: 3000,
    });
    watch(broker);
    return broker;
  };
}

function watch(broker) {
  const faultedAt = Array.from({ length: broker.partitions }, () => []);
  let count = 0;
  process.on('SIGUSR2', () => {
    const now = performance.now();
    const partition = count % broker.partitions;
    const recent = faultedAt[partition].filter((at) => now - at < 60_000);
    if (recent.length >= FAULTS_PER_MINUTE) return;
    faultedAt[partition] = [...recent, now];
    const kind = FAULT_KINDS[Math.floor(count / broker.partitions) % FAULT_KINDS.length];
    count++;
    // It fails by design: the partition does not live to answer.
    broker.fault(partition, kind).then(
      () => console.error(`partition ${partition} took a fault`),
      () => console.error(`partition ${partition} was made to ${kind}`),
    );
  });
}
