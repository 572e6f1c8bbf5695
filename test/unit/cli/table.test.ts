import { describe, expect, it } from 'vitest';
import { progressLine } from '../../../src/cli/progress.ts';
import { type Column, formatTable } from '../../../src/cli/table.ts';

const COLUMNS: readonly Column<{ name: string; depth: number }>[] = [
  { title: 'queue', cell: (row) => row.name },
  { title: 'visible', align: 'right', cell: (row) => String(row.depth) },
];

describe('a table', () => {
  it('has columns as wide as they need to be, and numbers to the right', () => {
    const rows = [
      { name: 'orders', depth: 5 },
      { name: 'a', depth: 12_345_678 },
    ];
    expect(formatTable(COLUMNS, rows)).toEqual([
      'queue    visible',
      'orders         5',
      'a       12345678',
    ]);
  });

  it('without rows shows its titles', () => {
    expect(formatTable(COLUMNS, [])).toEqual(['queue  visible']);
  });

  it('is no wider than the terminal', () => {
    const lines = formatTable(COLUMNS, [{ name: 'a'.repeat(50), depth: 1 }], 20);
    expect(lines.map((line) => line.length)).toEqual([20, 20]);
    expect(lines[1]).toMatch(/…$/);
  });

  it('shows nothing that could steer the terminal', () => {
    const [, line] = formatTable(COLUMNS, [{ name: 'a\u001b[2Jb\nc', depth: 1 }]);
    expect(line).toBe('a·[2Jb·c        1');
  });
});

describe('a progress line', () => {
  it('tells how much of the whole is done, how fast, and how long it will take', () => {
    expect(progressLine('sent', 500, 2_000, 1_000)).toBe(
      '██████░░░░░░░░░░░░░░░░░░ 25%  500 of 2 000 sent, 500/s, 3s left',
    );
  });

  it('without a whole tells how much and how fast', () => {
    expect(progressLine('sent', 1_500, undefined, 1_000)).toBe('1 500 sent, 1 500/s');
  });

  it('never goes beyond its end', () => {
    expect(progressLine('moved', 30, 20, 1_000)).toMatch(/^█{24}100%/);
  });
});
