/* Whether the simulation would notice: a copy of the compiled code is broken on purpose, in one
 * place at a time, and the first seed that fails is looked for. */

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: 'the log skips every sync',
    file: 'log/wal/wal.js',
    from: 'this.#file.sync();',
    to: '',
  },
  {
    name: 'replies leave without a commit',
    file: 'partition/partition.js',
    from: 'this.#commit();',
    to: 'this.#publishInOrder();',
  },
  {
    name: 'replies leave while their commit is under way',
    file: 'partition/partition.js',
    from: 'this.#commitsBegan.length > underWay',
    to: 'this.#commitsBegan.length > 0',
  },
  {
    name: 'a sync is taken to cover what was written while it went on',
    file: 'log/wal/wal.js',
    from: 'this.#noteDurable(this.#syncing.shift());',
    to: 'this.#syncing.shift(), this.#noteDurable(this.#sequence - 1);',
  },
  {
    name: 'a replay drops the records of deletes',
    file: 'queue/replay.js',
    from: '    replayDelete,',
    to: '    () => {},',
  },
  {
    name: 'a replay drops the records of receives',
    file: 'queue/replay.js',
    from: '    replayReceive,',
    to: '    () => {},',
  },
  {
    name: 'a message that comes back goes to the end of its group',
    file: 'queue/group-table.js',
    from: 'if (tail === 0 ||',
    to: 'if (true ||',
  },
  {
    name: 'a receipt is good for every later delivery',
    file: 'queue/receipt-changes.js',
    from: ' && this.#ledger.table.delivery(slot) === delivery',
    to: '',
  },
  {
    name: 'a dead letter is one receive early',
    file: 'queue/message-store.js',
    from: 'this.table.receiveCount(slot) < maxReceiveCount',
    to: 'this.table.receiveCount(slot) < maxReceiveCount - 1',
  },
  {
    name: 'a dead-letter move waits for no sync',
    file: 'queue/ledger.js',
    from: 'this.syncNeeded = true;',
    to: '',
  },
  {
    name: 'a frame is sound whatever its checksum says',
    file: 'log/wal/record.js',
    from: 'return view.getUint32(at, true) === crc32(',
    to: 'return true || crc32(',
  },
  {
    name: 'a door started anew takes the replies of the one before',
    file: 'broker/partition-handle.js',
    from: 'correlation >>> LIFE_SHIFT !== this.#life',
    to: 'false',
  },
  {
    name: 'what is on its way between partitions is forgotten before it has arrived',
    file: 'broker/transit-carrier.js',
    from: 'await this.#handOver(from, to, run);',
    to: 'this.#handOver(from, to, run).catch(() => {});',
  },
  {
    name: 'what a partition has taken over is taken over once more',
    file: 'queue/transit.js',
    from: '<= known)',
    to: '<= 0)',
  },
  {
    name: 'a replay forgets how far a partition has taken over',
    file: 'queue/replay.js',
    from: 'store.takenOver[partition] = view.getFloat64(at + record.SEND_SLOTS_AT',
    to: 'view.getFloat64(at + record.SEND_SLOTS_AT',
  },
  {
    name: 'a take-over waits for no sync',
    file: 'queue/transit.js',
    from: 'store.takenOver[partition] = newest;\n        this.#ledger.syncNeeded = true;',
    to: 'store.takenOver[partition] = newest;',
  },
  {
    name: 'what is on its way of a group leaves in the reverse order',
    file: 'broker/transit-calls.js',
    from: 'entries.push(buffer.subarray(entryAt, end));',
    to: 'entries.unshift(buffer.subarray(entryAt, end));',
  },
  {
    name: 'all of an encoded batch goes where its first group lives',
    file: 'broker/encoded-sender.js',
    from: 'if (parts.size === 1)',
    to: 'if (parts.size > 0)',
  },
  {
    name: "the parts of an encoded batch take each other's places",
    file: 'broker/encoded-sender.js',
    from: 'this.#results.set(result, place * codec.SEND_RESULT_BYTES);',
    to: 'this.#results.set(result, i * codec.SEND_RESULT_BYTES);',
  },
  {
    name: 'encoded messages get one id for all',
    file: 'broker/encoded-sender.js',
    from: 'ids.advance();',
    to: '',
  },
  {
    name: 'messages are kept beyond their retention',
    file: 'queue/message-store.js',
    from: 'queue.settings.retentionMs <= now',
    to: 'queue.settings.retentionMs <= 0',
  },
];

/** Runs up to `seeds` seeds against each mutation. `built` is where the compiled code is. True when
 *  every one of them was caught. */
export function runMutations(built: string, seeds: number): boolean {
  const copy = join(built, 'mutant');
  let caught = 0;
  for (const { name, file, from, to } of MUTATIONS) {
    rmSync(copy, { recursive: true, force: true });
    for (const part of ['src', 'test']) {
      cpSync(join(built, part), join(copy, part), { recursive: true });
    }
    const path = join(copy, 'src', file);
    const code = readFileSync(path, 'utf8');
    if (!code.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)} any more`);
    writeFileSync(path, code.replace(from, to));
    const run = join(copy, 'test/simulation/run.js');
    const { stderr } = spawnSync(process.execPath, [run, '--seeds', String(seeds)], {
      encoding: 'utf8',
      timeout: 600_000,
    });
    const needed = /seed (\d+) failed/.exec(stderr)?.[1];
    const what = /^\w+(?: \[\w+\])?: .*/m.exec(stderr)?.[0] ?? 'nothing';
    if (needed !== undefined) caught++;
    console.log(`${name}: ${needed === undefined ? 'NOT CAUGHT' : `seed ${needed}`} (${what})`);
  }
  rmSync(copy, { recursive: true, force: true });
  return caught === MUTATIONS.length;
}
