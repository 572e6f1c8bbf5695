import { expect, test } from 'vitest';
import { firstFailure } from './seeds.ts';

test('what clients see of crashing partitions and failing disks keeps every promise', () => {
  expect(firstFailure(1, 150)).toBeUndefined();
}, 300_000);
