/* The access policy of a queue: a text that is kept with it and has no effect. Statements are added
 * and removed by their labels; all others, and the rest of the text, stay as they are. Pure. */

import { BrokerError } from '../base/errors.ts';
import { invalid } from './queue-checks.ts';

const STATEMENTS_MAX = 20; // Rule: SQS.

/** One change of a policy. */
export type PolicyEdit =
  | {
      readonly kind: 'add';
      readonly label: string;
      /** Has `label` as its Sid. */
      readonly statement: object;
      /** The other fields of a policy that is made for it. */
      readonly head: object;
    }
  | { readonly kind: 'remove'; readonly label: string };

/** The policy's text after `edit`; undefined: nothing is left of it.
 *  Throws CAPSTAN_INVALID_ARGUMENT for a label that is there already, or is not, and
 *  CAPSTAN_OVER_LIMIT. */
export function editedPolicy(text: string | undefined, edit: PolicyEdit): string | undefined {
  // It was checked to be an object when it was set.
  const policy = JSON.parse(text ?? '{}') as Record<string, unknown>;
  const { Statement: found = [], ...head } = policy;
  const statements: readonly unknown[] = Array.isArray(found) ? found : [found];
  const others = statements.filter((statement) => labelOf(statement) !== edit.label);
  if (edit.kind === 'remove') {
    if (others.length === statements.length) throw refused(edit.label, "can't find label.");
    return others.length === 0 ? undefined : JSON.stringify({ ...head, Statement: others });
  }
  if (others.length < statements.length) throw refused(edit.label, 'Already exists.');
  if (statements.length >= STATEMENTS_MAX) {
    throw new BrokerError(
      'CAPSTAN_OVER_LIMIT',
      `${statements.length + 1} statements were found, maximum allowed is ${STATEMENTS_MAX}.`,
    );
  }
  const start = text === undefined ? edit.head : head;
  return JSON.stringify({ ...start, Statement: [...statements, edit.statement] });
}

function labelOf(statement: unknown): unknown {
  if (typeof statement !== 'object' || statement === null) return undefined;
  return (statement as { Sid?: unknown }).Sid;
}

function refused(label: string, reason: string): BrokerError {
  return invalid(`Value ${label} for parameter Label is invalid. Reason: ${reason}`);
}
