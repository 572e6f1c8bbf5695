/* What is left of segments that a log has given up, where a maintenance pool removes it. */

import { expect, test } from 'vitest';
import { commitOne, openLog } from '../../../support/log-bench.ts';

test('segments given up are spares, up to a bound, and then left to be removed', async () => {
  let retired = 0;
  const { storage, log } = openLog(undefined, { onRetired: () => retired++ });
  while (log.currentRegion < 5) await commitOne(log, 'text '.repeat(200));
  const last = await commitOne(log, 'the last one');
  log.release(5);
  expect(retired).toBe(5);
  const names = storage.paths().map((path) => path.slice(path.lastIndexOf('/') + 1));
  expect(names.toSorted()).toEqual([
    'segment-000000000005',
    'spare-0',
    'spare-1',
    'unfinished-02',
    'unfinished-03',
    'unfinished-04',
  ]);
  storage.kill();
  expect(openLog(storage).found.at(-1)).toEqual(last);
});
