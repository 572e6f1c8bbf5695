/* `npm run simulate -- --seeds 10000 [--first 1]`: prints the first seed that fails, and how to run it
 * again. */

import { parseArgs } from 'node:util';
import { firstFailure } from './seeds.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '1000' }, first: { type: 'string', default: '1' } },
});
const first = Number(values.first);
const count = Number(values.seeds);
const began = performance.now();
const failure = firstFailure(first, count);
const seconds = (performance.now() - began) / 1000;
if (failure === undefined) {
  const perMinute = Math.round((count / seconds) * 60);
  console.log(`${count} seeds, no failure, ${seconds.toFixed(1)} s (${perMinute} a minute)`);
} else {
  console.error(failure.error);
  console.error(`seed ${failure.seed} failed, after ${failure.seed - first} that did not. Again:`);
  console.error(`  ${failure.replay}`);
  process.exitCode = 1;
}
