import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { moduleOf } from '../../../native-free-bench/profile/bundles.ts';
import { ROOT } from '../../support/source-tree.ts';

const WORKER = `${ROOT}/dist/bundle/partition/partition-worker.js`;
const URL_OF_WORKER = pathToFileURL(WORKER).href;

test('a line of a bundled file is of the module that it came from', () => {
  const lines = readFileSync(WORKER, 'utf8').split('\n');
  const line = lines.findIndex((each) => each.includes('  takeSyncNeeded() {'));
  const expected = pathToFileURL(`${ROOT}/dist/queue/queue-state.js`).href;
  expect(moduleOf(URL_OF_WORKER, line, 2)).toBe(expected);
});

test('what no map tells of is of its own file', () => {
  expect(moduleOf(URL_OF_WORKER, 0, 0)).toBe(URL_OF_WORKER);
  expect(moduleOf('node:fs', 1, 1)).toBe('node:fs');
  expect(moduleOf('', -1, -1)).toBe('');
});
