import { describe, expect, it } from 'vitest';
import { Histogram, mergedHistogram } from '../../../native-free-bench/harness/histogram.ts';

const BUCKET_ERROR = 1 / 64;

function recorded(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.recordMs(value);
  return histogram;
}

describe('the histogram of latencies', () => {
  it('tells percentiles as a sorted list does, to one bucket', () => {
    // Every magnitude, and in no order.
    const values = Array.from({ length: 1000 }, (_, i) => 0.05 * 1.01 ** ((i * 617) % 1000));
    const sorted = values.toSorted((a, b) => a - b);
    const histogram = recorded(values);
    for (const share of [0.001, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
      expect(histogram.quantileMs(share) / exact).toBeGreaterThan(0.999);
      expect(histogram.quantileMs(share) / exact).toBeLessThan(1 + BUCKET_ERROR);
    }
  });

  it('tells the greatest value exactly, and no percentile beyond it', () => {
    const { max, p999 } = recorded([1, 2, 123.4567]).percentiles();
    expect(max).toBe(123.4567);
    expect(p999).toBe(max);
  });

  it('is the same whether one process has recorded the values or two', () => {
    const values = Array.from({ length: 500 }, (_, i) => (i * i) / 100);
    const halves = [0, 1].map((half) => recorded(values.filter((_, i) => i % 2 === half)));
    const merged = mergedHistogram(halves.map((half) => half.snapshot()));
    expect(merged.percentiles()).toEqual(recorded(values).percentiles());
  });
});
