import { describe, expect, it } from 'vitest';
import { halfOfTheCores } from '../../../src/base/cores.ts';

describe('half of the cores', () => {
  it.each([
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 2],
    [16, 8],
    [256, 64],
  ])('of %i is %i, at least one and at most what is possible', (cores, half) => {
    expect(halfOfTheCores(64, cores)).toBe(half);
  });
});
