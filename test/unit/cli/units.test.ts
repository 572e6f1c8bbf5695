import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatDurationMs,
  parseCount,
  parseDurationMs,
} from '../../../src/cli/units.ts';

describe('a time on the command line', () => {
  it('is read with units, added up, or as seconds', () => {
    const times = ['250ms', '30s', '5m', '1.5h', '4d', '1h30m', '0', '20', '2.5'];
    expect(times.map((text) => parseDurationMs(text, '--wait'))).toEqual([
      250, 30_000, 300_000, 5_400_000, 345_600_000, 5_400_000, 0, 20_000, 2_500,
    ]);
  });

  it('that is none is refused, with the name of the option', () => {
    for (const text of ['', 's', '5 m', '5x', '-1', '1h30', 'soon', '1e3']) {
      expect(() => parseDurationMs(text, '--wait'), text).toThrow(/--wait/);
    }
  });

  it('is shown by its two largest units', () => {
    const times = [0, 250, 1_000, 61_000, 3_600_000, 5_400_000, 90_061_000, 345_600_000];
    expect(times.map(formatDurationMs)).toEqual([
      '0s',
      '250ms',
      '1s',
      '1m 1s',
      '1h',
      '1h 30m',
      '1d 1h',
      '4d',
    ]);
  });

  it('that is shown can be read again, and is the same to its second unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000_000_000 }), (ms) => {
        const shown = parseDurationMs(formatDurationMs(ms).replace(' ', ''), 'x');
        expect(shown).toBeLessThanOrEqual(ms);
        expect(ms - shown).toBeLessThan(ms < 60_000 ? 1_000 : Math.max(60_000, ms / 24));
      }),
    );
  });
});

describe('a count', () => {
  it('is read within its limits only', () => {
    expect(parseCount('10', '--max', 1, 10)).toBe(10);
    for (const text of ['0', '11', '', '1.5', 'ten', '-1', '1e1']) {
      expect(() => parseCount(text, '--max', 1, 10), text).toThrow(/--max.*from 1 to 10/);
    }
  });

  it('is shown in groups of three digits', () => {
    expect([0, 999, 1_000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1 000', '1 234 567']);
  });

  it('of bytes is shown in the largest unit that fits', () => {
    expect([0, 1_023, 1_024, 1_536, 104_857_600, 5e9].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '100 MiB',
      '4.7 GiB',
    ]);
  });
});
