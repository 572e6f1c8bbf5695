/* Runs simulations, seed after seed. */

import { Simulation } from './simulation.ts';

/** What one seed found, or undefined. */
export function failureOf(seed: number): unknown {
  try {
    new Simulation(seed).run();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The first seed that fails, with the line that replays it; undefined when all pass. */
export function firstFailure(
  first: number,
  count: number,
): { seed: number; error: unknown; replay: string } | undefined {
  for (let seed = first; seed < first + count; seed++) {
    const error = failureOf(seed);
    if (error === undefined) continue;
    return { seed, error, replay: `npm run simulate -- --first ${seed} --seeds 1` };
  }
  return undefined;
}
