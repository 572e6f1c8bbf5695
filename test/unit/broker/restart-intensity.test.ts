import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RestartIntensity } from '../../../src/broker/restart-intensity.ts';

describe('the restart intensity', () => {
  it('allows so many restarts within the period, and refuses one more', () => {
    const intensity = new RestartIntensity(3, 1000);
    expect([0, 1, 2, 3].map((now) => intensity.allow(now))).toEqual([true, true, true, false]);
  });

  it('allows a restart again once the oldest is a period ago', () => {
    const intensity = new RestartIntensity(2, 1000);
    intensity.allow(0);
    intensity.allow(600);
    expect(intensity.allow(999)).toBe(false);
    expect(intensity.allow(1000)).toBe(true);
    expect(intensity.allow(1599)).toBe(false);
    expect(intensity.allow(1600)).toBe(true);
  });

  it('does not count restarts that it refused', () => {
    const intensity = new RestartIntensity(1, 1000);
    intensity.allow(0);
    for (let now = 1; now < 1000; now += 100) expect(intensity.allow(now)).toBe(false);
    expect(intensity.allow(1000)).toBe(true);
  });

  it('starts from nothing after a reset', () => {
    const intensity = new RestartIntensity(1, 1000);
    intensity.allow(0);
    intensity.reset();
    expect(intensity.allow(1)).toBe(true);
  });

  it('never allows more than its maximum within any period', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 5 }), (steps, restartsMax) => {
        const intensity = new RestartIntensity(restartsMax, 1000);
        const allowed: number[] = [];
        let now = 0;
        for (const step of steps) {
          now += step;
          const within = allowed.filter((at) => now - at < 1000).length;
          expect(intensity.allow(now)).toBe(within < restartsMax);
          if (within < restartsMax) allowed.push(now);
        }
      }),
    );
  });
});
