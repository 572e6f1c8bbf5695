import { describe, expect, it } from 'vitest';
import type { Bench, BenchOptions, Scenario } from '../../../native-free-bench/harness/bench.ts';
import { Ledger } from '../../../native-free-bench/harness/ledger.ts';
import { requireBalance } from '../../../native-free-bench/harness/load.ts';
import { exitCodeOf } from '../../../native-free-bench/harness/report.ts';
import { runSuite } from '../../../native-free-bench/harness/suite.ts';

const OPTIONS: BenchOptions = {
  quick: true,
  scratch: '',
  onRow: () => undefined,
  onFailure: () => undefined,
  onSkip: () => undefined,
};

const PLAN = { name: 'figure', durability: 'fsync', unit: 'msg/s', better: 'more' } as const;

function scenarioOf(name: string, run: (bench: Bench) => Promise<void>): Scenario {
  return { name, summary: '', run };
}

const sound = scenarioOf('sound', async (bench) => {
  await bench.measure(PLAN, async () => ({ figure: 1 }));
});

/** A scenario whose load sent 0 .. 9, and did this with them. */
function counting(tamper: (ledger: Ledger) => void): Scenario {
  return scenarioOf('counting', async (bench) => {
    await bench.measure(PLAN, async () => {
      const ledger = new Ledger();
      ledger.sent.addRange(0, 10);
      tamper(ledger);
      requireBalance('load', [ledger.snapshot()]);
      return { figure: 1 };
    });
  });
}

/** Deleted are always those that were received. */
function receiving(sequences: readonly number[]): Scenario {
  return counting(({ received, deleted }) => {
    received.addAll(sequences);
    deleted.addAll(sequences);
  });
}

const ALL = [3, 1, 0, 2, 9, 8, 7, 6, 5, 4];

describe('a run of the benchmark', () => {
  it('succeeds when everything was received and deleted, in whatever order', async () => {
    const found = await runSuite([receiving(ALL)], OPTIONS);
    expect(found.failures).toEqual([]);
    expect(exitCodeOf(found)).toBe(0);
  });

  it.each([
    ['lost', ALL.slice(1), '10 sent, 9 received, 9 deleted'],
    ['doubled', [...ALL, 3], '10 sent, 11 received, 11 deleted'],
    ['another than was sent', [...ALL.slice(1), 10], 'not the same messages'],
  ])('fails when a message was %s', async (_, sequences, words) => {
    const found = await runSuite([receiving(sequences), sound], OPTIONS);
    expect(exitCodeOf(found)).not.toBe(0);
    const [failure] = found.failures;
    expect(failure).toMatchObject({ name: 'figure', wrongCount: true });
    expect(failure!.message).toContain(words);
    // Its figure is not told, and that of the next scenario is.
    expect(found.rows.map(({ scenario }) => scenario)).toEqual(['sound']);
  });

  it('fails when a message was received and not deleted', async () => {
    const scenario = counting(({ received, deleted }) => {
      received.addAll(ALL);
      deleted.addAll(ALL.slice(1));
    });
    expect(exitCodeOf(await runSuite([scenario], OPTIONS))).not.toBe(0);
  });

  it('succeeds when a figure misses its target', async () => {
    const slow = scenarioOf('slow', async (bench) => {
      await bench.measure({ ...PLAN, target: 1000 }, async () => ({ figure: 1 }));
    });
    const found = await runSuite([slow], OPTIONS);
    expect(found.rows).toMatchObject([{ verdict: 'missed' }]);
    expect(exitCodeOf(found)).toBe(0);
  });

  it('tells the median of its repeats, with the CPU time of that very run', async () => {
    const figures = [5, 1, 3];
    const repeated = scenarioOf('repeated', async (bench) => {
      await bench.measure(PLAN, async () => {
        const figure = figures.pop()!;
        return { figure, serverCpuUsPerMessage: figure * 10 };
      });
    });
    const { rows } = await runSuite([repeated], { ...OPTIONS, repeats: 3 });
    expect(rows).toMatchObject([{ figure: 3, serverCpuUsPerMessage: 30, spread: [1, 5] }]);
  });

  it('tells after each scenario what was found so far', async () => {
    const other = { ...sound, name: 'other' };
    const found: string[][] = [];
    await runSuite([sound, other], OPTIONS, undefined, (_, _seconds, { rows }) => {
      found.push(rows.map(({ scenario }) => scenario));
    });
    expect(found).toEqual([['sound'], ['sound', 'other']]);
  });

  it('goes on after a scenario that throws, and fails', async () => {
    const broken = scenarioOf('broken', () => Promise.reject(new Error('no server')));
    const found = await runSuite([broken, sound], OPTIONS);
    expect(found.rows.map(({ scenario }) => scenario)).toEqual(['sound']);
    expect(exitCodeOf(found)).not.toBe(0);
  });
});
