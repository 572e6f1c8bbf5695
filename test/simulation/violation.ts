/* A promise that was not kept. */

export class Violation extends Error {
  override name = 'Violation';
}

export function insist(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Violation(what);
}
