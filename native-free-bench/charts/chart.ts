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

export interface IciclePart {
  readonly label: string;
  readonly value: number;
  readonly colour: string;
  /** Below it; together no more than it. */
  readonly parts?: readonly IciclePart[] | undefined;
}

/** Flame graphs upside down, one below the other, each as wide as the page. */
export interface IcicleChart {
  readonly kind: 'icicles';
  readonly name: string;
  readonly title: string;
  /** How values are told. */
  readonly text: (value: number) => string;
  readonly legend: readonly { readonly label: string; readonly colour: string }[];
  readonly icicles: readonly { readonly label: string; readonly parts: readonly IciclePart[] }[];
}

export type Chart = LineChart | BarChart | IcicleChart;
