/* What a chart shows, apart from how it is drawn. */

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  /** Told in KiB and MiB. */
  readonly ofBytes?: boolean | undefined;
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly kind: 'lines';
  /** Also its file's name. */
  readonly name: string;
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface BarChart {
  readonly kind: 'bars';
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** `highlight`: Capstan's own, among its peers. */
  readonly bars: readonly {
    readonly label: string;
    readonly value: number;
    readonly highlight?: boolean | undefined;
  }[];
}

export type Chart = LineChart | BarChart;
