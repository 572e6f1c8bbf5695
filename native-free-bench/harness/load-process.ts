/* Entry of a load process: runs one load, and times it and itself. */

import { LOADS, type LoadName } from '../loads/loads.ts';
import type { FromLoad, Load, LoadOutcome, Measured, ToLoad } from './load-contract.ts';

const tell = (message: FromLoad): void => {
  process.send!(message);
};

async function main(
  start: Extract<ToLoad, { type: 'start' }>,
  go: Promise<void>,
): Promise<FromLoad> {
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

let release: () => void;
const go = new Promise<void>((resolve) => {
  release = resolve;
});
process.on('message', (message: ToLoad) => {
  if (message.type === 'go') release();
  else {
    // Its last word; connections that are still open do not keep the process.
    const leave = (last: FromLoad, code: number): void => {
      process.send!(last, () => process.exit(code));
    };
    main(message, go).then(
      (done) => leave(done, 0),
      (error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        leave({ type: 'failed', message: text }, 1);
      },
    );
  }
});
