/* Finds the operation that a method and a path mean. Paths are compared segment by segment; a
 * segment that an operation names literally comes before one that it takes as a variable. */

import { BrokerError } from '../../base/errors.ts';
import type { Operation } from './operation.ts';

export interface Route {
  readonly operation: Operation;
  /** The variables of the path, percent-decoded. */
  readonly path: Readonly<Record<string, string>>;
}

interface Segment {
  readonly text: string;
  readonly isVariable: boolean;
}

interface CompiledOperation {
  readonly operation: Operation;
  readonly segments: readonly Segment[];
  readonly variables: number;
}

function compile(operation: Operation): CompiledOperation {
  const segments = operation.path.split('/').map((text): Segment => {
    const name = /^\{(\w+)\}$/.exec(text)?.[1];
    return name === undefined ? { text, isVariable: false } : { text: name, isVariable: true };
  });
  return { operation, segments, variables: segments.filter((each) => each.isVariable).length };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    const detail = `The path has "${text}", which is not percent-encoded UTF-8.`;
    throw new BrokerError('CAPSTAN_INVALID_ARGUMENT', detail, { cause: error });
  }
}

export class Routes {
  /** By their number of segments; those with fewer variables come first. */
  readonly #byLength = new Map<number, CompiledOperation[]>();

  constructor(operations: readonly Operation[]) {
    const compiled = operations.map(compile).toSorted((a, b) => a.variables - b.variables);
    for (const each of compiled) {
      const { length } = each.segments;
      this.#byLength.set(length, [...(this.#byLength.get(length) ?? []), each]);
    }
  }

  /** Undefined: the path has no such method; see `methodsOf`. */
  find(method: string, path: string): Route | undefined {
    const parts = path.split('/');
    const found = this.#matching(parts).find((each) => each.operation.method === method);
    if (found === undefined) return undefined;
    const variables = found.segments.flatMap(({ text, isVariable }, index) =>
      isVariable ? [[text, decoded(parts[index]!)] as const] : [],
    );
    return { operation: found.operation, path: Object.fromEntries(variables) };
  }

  /** The methods that a path takes; none: there is no such path. */
  methodsOf(path: string): string[] {
    return [...new Set(this.#matching(path.split('/')).map((each) => each.operation.method))];
  }

  #matching(parts: readonly string[]): CompiledOperation[] {
    return (this.#byLength.get(parts.length) ?? []).filter(({ segments }) =>
      segments.every(({ text, isVariable }, index) =>
        isVariable ? parts[index] !== '' : parts[index] === text,
      ),
    );
  }
}
