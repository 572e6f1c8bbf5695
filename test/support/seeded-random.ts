/* Random numbers that a seed gives again. */

export interface SeededRandom {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
  /** True once in `times` calls. */
  oneIn(times: number): boolean;
  /** 32 random bits. */
  word(): number;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  // A Weyl sequence, whose steps are scrambled by two rounds of multiplication and shift.
  const word = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  const below = (limit: number) => word() % limit;
  return { word, below, oneIn: (times) => below(times) === 0 };
}
