/* Tables for people: columns as wide as they need to be, numbers to the right. Pure. */

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'left' | 'right';
  readonly cell: (row: Row) => string;
}

const GAP = '  ';

/** Lines without line ends: the titles, then the rows. No longer than `columnsMax` each, if
 *  given. */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  columnsMax = Infinity,
): string[] {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.cell(row))));
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, ...cells.map((line) => line[at]!.length)),
  );
  const titles = columns.map((column) => column.title);
  return [titles, ...cells].map((line) => {
    const padded = line.map((text, at) =>
      columns[at]!.align === 'right' ? text.padStart(widths[at]!) : text.padEnd(widths[at]!),
    );
    return clip(padded.join(GAP).trimEnd(), columnsMax);
  });
}

/** What would break the table, or reach into the terminal, is shown as a dot. */
export function oneLine(text: string): string {
  return text.replaceAll(/\r\n|\p{Control}/gu, '·');
}

/** `text`, or its beginning with an ellipsis where it is longer than `max`. */
export function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, Math.max(0, max - 1))}…`;
}
