/* A partition's state against a reference that is simple enough to be believed: random commands and
 * times, the log's regions released and relocated under it, and crashes anywhere. */

import fc from 'fast-check';
import { test } from 'vitest';
import { commands } from './commands.ts';
import { PartitionRun } from './partition-run.ts';

test('whatever is asked, and wherever it crashes, the state is what the reference says', () => {
  fc.assert(
    fc.property(commands, fc.nat(1_000_000), (list, seed) => new PartitionRun(seed).run(list)),
    // Smaller counterexamples take minutes: leave `endOnFailure` out to look for one.
    { numRuns: Number(process.env['CAPSTAN_MODEL_RUNS'] ?? 60), endOnFailure: true },
  );
}, 300_000);
