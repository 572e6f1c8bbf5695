import { expect, test } from 'vitest';
import { firstFailure } from './seeds.ts';

test('what clients see of crashing partitions and failing disks keeps every promise', async () => {
  expect(await firstFailure(1, 250)).toBeUndefined();
}, 300_000);
