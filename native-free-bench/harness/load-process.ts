/* Entry of a load process: runs one load, and times it and itself. */

import { LOADS, type LoadName } from '../loads/loads.ts';
import type { FromLoad, Load, LoadOutcome, Measured, ToLoad } from './load-contract.ts';

type Start = Extract<ToLoad, { type: 'start' }>;

const tell = (message: FromLoad): void => {
  process.send!(message);
};

async function main(start: Start, go: Promise<void>): Promise<FromLoad> {
  let startedAt = performance.now();
  let cpuAtStart = process.cpuUsage();
  let measured: Measured | undefined;
  const end = (): void => {
    if (measured !== undefined) return;
    const { user, system } = process.cpuUsage(cpuAtStart);
    measured = { seconds: (performance.now() - startedAt) / 1000, cpuUs: user + system };
    tell({ type: 'ended' });
  };
  const module = await LOADS[start.load as LoadName]();
  const outcome: LoadOutcome = await (module.load as Load<unknown>)(start.parameters, {
    index: start.index,
    processes: start.processes,
    begin: async () => {
      tell({ type: 'warm' });
      await go;
      startedAt = performance.now();
      cpuAtStart = process.cpuUsage();
    },
    end,
  });
  end();
  return { type: 'done', outcome, measured: measured! };
}

/** What the process says last. */
async function lastWord(start: Start, go: Promise<void>): Promise<FromLoad> {
  try {
    return await main(start, go);
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { type: 'failed', message };
  }
}

/** Connections that are still open do not keep the process. */
async function runAndLeave(start: Start): Promise<void> {
  const last = await lastWord(start, go);
  process.send!(last, () => process.exit(last.type === 'done' ? 0 : 1));
}

let release: () => void;
const go = new Promise<void>((resolve) => {
  release = resolve;
});
process.on('message', (message: ToLoad) => {
  if (message.type === 'go') release();
  else void runAndLeave(message);
});
