/* One fault, over and over, on one server that is in use: what the suite runs briefly and the long
 * run for as long as it is told to. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import type { Verdict } from './history.ts';
import { Rig, type RigOptions } from './rig.ts';

export interface Tortured extends Verdict {
  readonly fault: string;
  /** How often it was done. */
  readonly times: number;
  /** What was lost of the disk's unsynced writes, where it lost some. */
  readonly bytesLost: number;
  /** The server's log, for the reader of a violation. */
  readonly log: string;
}

export async function torture(fault: Fault, times: number, options: RigOptions): Promise<Tortured> {
  const { folder } = options;
  await using rig = await Rig.start({ ...options, ...fault.needs(folder) });
  for (let time = 0; time < times; time++) {
    await sleep(50 + rig.random.below(400));
    await fault.inflict(rig, folder);
    await rig.healthy();
  }
  const verdict = await rig.finish({ exclusive: fault.exclusive });
  const bytesLost = options.disk ? rig.disk.get('bytesLost') : 0;
  const { log } = rig.server;
  const done = fault.logged === undefined ? times : [...log.matchAll(fault.logged)].length;
  return { ...verdict, fault: fault.name, times: done, bytesLost, log };
}
