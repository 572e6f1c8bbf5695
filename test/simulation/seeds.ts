/* Runs simulations, seed after seed: partitions by themselves, and then with whole doors. */

import { BrokerSimulation } from './broker-simulation.ts';
import { Simulation } from './simulation.ts';

/** What one seed found, or undefined. */
async function failureOf(seed: number): Promise<unknown> {
  try {
    new Simulation(seed).run();
    await new BrokerSimulation(seed).run();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The first seed that fails, with the line that replays it; undefined when all pass. */
export async function firstFailure(
  first: number,
  count: number,
  onPassed: (passed: number) => void = () => undefined,
): Promise<{ seed: number; error: unknown; replay: string } | undefined> {
  for (let seed = first; seed < first + count; seed++) {
    const error = await failureOf(seed);
    if (error === undefined) {
      onPassed(seed - first + 1);
      continue;
    }
    return { seed, error, replay: `npm run simulate -- --first ${seed} --seeds 1` };
  }
  return undefined;
}
