/* Preloaded into an unmodified server (`node --import`): SIGUSR2 makes one of its threads fail, in
 * the ways that `CAPSTAN_TORTURE_FAULTS` names, each in turn, and never more often than a thread is
 * restarted for.
 *
 * A thread that is to run out of memory is given a small heap from its start, and fills it when it
 * finds its word set: partitions look at the begin of a turn, doors on a timer, and those that are
 * to hang also in the middle of a request. */

import { execFileSync } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import worker, { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { assert } from '../../dist/base/assert.js';
import { threadStart } from '../../dist/base/early-threads.js';
import { Broker } from '../../dist/broker/broker.js';

/** One less than the restart intensity: others make partitions restart as well. */
const FAULTS_PER_MINUTE = 3;
const HEAP_MIB = 64;
const THREADS_MAX = 128;
const DOORS_FROM = 64;
const LOOK_MS = 10;

const HOARD = 1;
const BREAK_INVARIANT = 2;
const LOOP = 3;
const BLOCK = 4;
/** Longer than it takes to notice, and not for ever. */
const BLOCK_SECONDS = 30;
/** By name; the others are what the broker itself can do to a partition. */
const WORDS = {
  'out of memory': { word: HOARD, doors: false },
  'door out of memory': { word: HOARD, doors: true },
  'door breaks an invariant': { word: BREAK_INVARIANT, doors: true },
  'door hangs': { word: LOOP, doors: true },
  'door hangs in native code': { word: BLOCK, doors: true },
};

function hoard() {
  const kept = [];
  for (;;) kept.push(new Array(100_000).fill(kept.length));
}

function suffer(words, index) {
  const word = Atomics.exchange(words, index, 0);
  if (word === HOARD) hoard();
  if (word === LOOP) for (;;);
  if (word === BLOCK) execFileSync('sleep', [String(BLOCK_SECONDS)]);
  assert(word !== BREAK_INVARIANT, 'nobody breaks this on purpose');
}

if (isMainThread) {
  const words = new Int32Array(new SharedArrayBuffer(4 * THREADS_MAX));
  setEnvironmentData('capstan torture', words);
  const kinds = process.env.CAPSTAN_TORTURE_FAULTS.split(',');
  if (kinds.some((kind) => WORDS[kind]?.word === HOARD)) giveSmallHeaps();
  const prepare = Broker.prepare.bind(Broker);
  Broker.prepare = async (options) => {
    // Shorter only where it is waited for: a busy machine may keep a sound thread waiting.
    const hang = kinds.some((kind) => kind.includes('hang')) ? { heartbeatTimeoutMs: 3000 } : {};
    const broker = await prepare.call(Broker, { ...options, faults: true, ...hang });
    watch(broker, kinds, words);
    return broker;
  };
} else {
  const { Partition } = await import('../../dist/partition/partition.js');
  const { PartitionHandle } = await import('../../dist/broker/partition-handle.js');
  // The thread may not know yet what it is; its own code hears of it after this.
  void threadStart().then((start) => {
    const words = getEnvironmentData('capstan torture');
    if (start?.door !== undefined) {
      const look = () => suffer(words, DOORS_FROM + start.door);
      setInterval(look, LOOK_MS).unref();
      before(PartitionHandle.prototype, 'finish', look);
    } else if (start?.partition !== undefined) {
      before(Partition.prototype, 'turn', () => suffer(words, start.partition));
    }
  });
}

function before(own, method, act) {
  const { value } = Object.getOwnPropertyDescriptor(own, method);
  own[method] = function (...args) {
    act();
    return Reflect.apply(value, this, args);
  };
}

function giveSmallHeaps() {
  worker.Worker = class extends worker.Worker {
    constructor(url, options) {
      super(url, { ...options, resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB } });
    }
  };
  syncBuiltinESMExports();
}

function watch(broker, kinds, words) {
  const faultedAt = Array.from({ length: broker.partitions }, () => []);
  let count = 0;
  process.on('SIGUSR2', () => {
    const now = performance.now();
    const thread = count % broker.partitions;
    const recent = faultedAt[thread].filter((at) => now - at < 60_000);
    if (recent.length >= FAULTS_PER_MINUTE) return;
    faultedAt[thread] = [...recent, now];
    const kind = kinds[Math.floor(count / broker.partitions) % kinds.length];
    count++;
    if (kind in WORDS) {
      const { word, doors } = WORDS[kind];
      console.error(`${doors ? 'door' : 'partition'} ${thread} is made to fail: ${kind}`);
      Atomics.store(words, thread + (doors ? DOORS_FROM : 0), word);
      return;
    }
    // It fails by design: the partition does not live to answer.
    broker.fault(thread, kind).then(
      () => console.error(`partition ${thread} took a fault`),
      () => console.error(`partition ${thread} was made to ${kind}`),
    );
  });
}
