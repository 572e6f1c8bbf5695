/* Every kind of trouble that a server can be given from outside, a few times each, while clients
 * that are not ours use it. Kinds of queues take turns, so that all of it is done in two minutes;
 * the long run, over both kinds each, is `npm run torture`. */

import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { FAULTS } from '../torture/faults.ts';
import { torture } from '../torture/tortured.ts';

const TIMES = 2;
const PRODUCERS = 2;
const MESSAGES_PER_PRODUCER = 200;
const TIMEOUT_MS = 300_000;

const possible = FAULTS.filter(({ name, missing, onDemand }) => {
  if (onDemand !== undefined) return false;
  const why = missing?.();
  if (why !== undefined) console.log(`${name}: not tried: ${why}`);
  return why === undefined;
});

const cases = possible.map((fault, index) => {
  const fifo = fault.suiteQueue === 'FIFO' || index % 2 === 1;
  return { fault, name: fault.name, fifo, kind: fifo ? 'FIFO' : 'standard' };
});

describe('a server in trouble', () => {
  it.each(cases)(
    '($name) keeps every promise of a $kind queue',
    { timeout: TIMEOUT_MS },
    async ({ fault, fifo }) => {
      using folder = temporaryFolder();
      const result = await torture(fault, TIMES, {
        folder: folder.path,
        seed: 1,
        fifo,
        producers: PRODUCERS,
        consumers: fifo ? 8 : 2,
        messagesPerProducer: MESSAGES_PER_PRODUCER,
        groups: 200,
        visibilityMs: 2000,
        pauseMs: 10,
        disk: fault.needs(folder.path).disk === true,
      });
      expect(result.violations).toEqual([]);
      expect(result.sent).toBe(PRODUCERS * MESSAGES_PER_PRODUCER);
      expect(result.deleted).toBeGreaterThan(0);
      expect(result.times).toBeGreaterThan(0);
    },
  );
});
