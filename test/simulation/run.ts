/* `npm run simulate -- --seeds 10000 [--first 1]`: prints the first seed that fails, and how to run
 * it again. With `--mutations`, breaks the code on purpose and tells how many seeds it takes to
 * notice. */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runMutations } from './mutations.ts';
import { firstFailure } from './seeds.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    mutations: { type: 'boolean', default: false },
  },
});

/** A long run shows that it goes on. */
const PASSED_SHOWN = 1000;

async function simulate(first: number, count: number): Promise<boolean> {
  const began = performance.now();
  const failure = await firstFailure(first, count, (passed) => {
    if (passed % PASSED_SHOWN === 0) console.log(`${passed} seeds so far`);
  });
  const seconds = (performance.now() - began) / 1000;
  if (failure === undefined) {
    const perMinute = Math.round((count / seconds) * 60);
    console.log(`${count} seeds, no failure, ${seconds.toFixed(1)} s (${perMinute} a minute)`);
    return true;
  }
  console.error(failure.error);
  console.error(`seed ${failure.seed} failed, after ${failure.seed - first} that did not. Again:`);
  console.error(`  ${failure.replay}`);
  return false;
}

const seeds = Number(values.seeds);
const sound = values.mutations
  ? runMutations(fileURLToPath(new URL('../../', import.meta.url)), seeds)
  : await simulate(Number(values.first), seeds);
if (!sound) process.exitCode = 1;
