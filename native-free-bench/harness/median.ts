/** The item in the middle, by `valueOf`; of an even number the lower. Undefined: there is none. */
export function medianOf<T>(items: readonly T[], valueOf: (item: T) => number): T | undefined {
  const sorted = items.toSorted((a, b) => valueOf(a) - valueOf(b));
  return sorted[(sorted.length - 1) >> 1];
}
