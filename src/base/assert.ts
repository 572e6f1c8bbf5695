/** A broken invariant. It is a defect in Capstan, never a reaction to input: it ends the actor
 *  that found it, and the supervisor recovers that actor from its log. */
export class InvariantError extends Error {
  override name = 'InvariantError';
}

/** Stays on in production. Not for per-byte loops. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${invariant}`);
}
