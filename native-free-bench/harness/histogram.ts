/* Latencies, counted in buckets that grow with the value: exact to 1.6%, a few kilobytes whatever
 * the number of values. Recorded in units of 100 ns, told in milliseconds. */

const SUB_BUCKETS = 64; // per power of two
const BUCKETS = 26 * SUB_BUCKETS + SUB_BUCKETS; // up to 2^32 units: seven minutes
const UNITS_PER_MS = 10_000;
const UNITS_MAX = 0xffff_ffff;

export interface HistogramSnapshot {
  readonly counts: readonly (readonly [bucket: number, count: number])[];
  readonly maxUnits: number;
}

/** Percentiles in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

function bucketOf(units: number): number {
  if (units < 2 * SUB_BUCKETS) return units;
  const shift = 31 - Math.clz32(units) - 6;
  return shift * SUB_BUCKETS + (units >>> shift);
}

/** The largest value that falls into the bucket. */
function bucketTop(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket;
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1;
  return (bucket - shift * SUB_BUCKETS + 1) * 2 ** shift - 1;
}

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #maxUnits = 0;

  get count(): number {
    return this.#count;
  }

  recordMs(ms: number): void {
    const units = Math.min(UNITS_MAX, Math.max(0, Math.round(ms * UNITS_PER_MS)));
    const bucket = bucketOf(units);
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#count += 1;
    if (units > this.#maxUnits) this.#maxUnits = units;
  }

  merge(snapshot: HistogramSnapshot): void {
    for (const [bucket, count] of snapshot.counts) {
      this.#counts[bucket] = this.#counts[bucket]! + count;
      this.#count += count;
    }
    this.#maxUnits = Math.max(this.#maxUnits, snapshot.maxUnits);
  }

  /** The value that `share` (0 .. 1) of the recorded ones do not exceed, in milliseconds. */
  quantileMs(share: number): number {
    const rank = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return Math.min(bucketTop(bucket), this.#maxUnits) / UNITS_PER_MS;
    }
    return this.#maxUnits / UNITS_PER_MS;
  }

  percentiles(): Percentiles {
    return {
      p50: this.quantileMs(0.5),
      p90: this.quantileMs(0.9),
      p99: this.quantileMs(0.99),
      p999: this.quantileMs(0.999),
      max: this.#maxUnits / UNITS_PER_MS,
    };
  }

  snapshot(): HistogramSnapshot {
    const counts: [number, number][] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) counts.push([bucket, count]);
    });
    return { counts, maxUnits: this.#maxUnits };
  }
}

/** One histogram of what several load processes recorded. */
export function mergedHistogram(snapshots: readonly HistogramSnapshot[]): Histogram {
  const merged = new Histogram();
  for (const snapshot of snapshots) merged.merge(snapshot);
  return merged;
}
