/* The access policy of a queue, as AddPermission and RemovePermission edit it. It is a text that is
 * kept with the queue; statements that these actions did not make are left as they are.
 * Rule: SQS AddPermission, RemovePermission. */

import { invalidParameter, missingParameter, SqsError } from './sqs-errors.ts';

const LABEL = /^[A-Za-z0-9_-]{1,80}$/;
const ACCOUNT = /^\d{12}$/;
const ACTIONS_MAX = 7;
const STATEMENTS_MAX = 20;

/** What can be granted; batches go with the action that they are batches of. */
const GRANTABLE = [
  '*',
  'SendMessage',
  'ReceiveMessage',
  'DeleteMessage',
  'ChangeMessageVisibility',
  'GetQueueAttributes',
  'GetQueueUrl',
  'ListDeadLetterSourceQueues',
  'PurgeQueue',
];

interface Policy {
  readonly head: readonly (readonly [string, unknown])[];
  readonly statements: readonly unknown[];
}

function readPolicy(text: string | undefined): Policy {
  if (text === undefined) return { head: [], statements: [] };
  // It was checked to be an object when it was set.
  const { Statement: statements = [], ...head } = JSON.parse(text) as Record<string, unknown>;
  return {
    head: Object.entries(head),
    statements: Array.isArray(statements) ? statements : [statements],
  };
}

function labelOf(statement: unknown): unknown {
  if (typeof statement !== 'object' || statement === null) return undefined;
  return (statement as { Sid?: unknown }).Sid;
}

/** The policy's text with a statement more. */
export function addPermission(
  text: string | undefined,
  arn: string,
  label: string,
  accounts: readonly string[],
  actions: readonly string[],
): string {
  checkPermission(label, accounts, actions);
  const { head, statements } = readPolicy(text);
  if (statements.some((statement) => labelOf(statement) === label)) {
    throw invalidParameter('Label', label, 'Already exists.');
  }
  if (statements.length >= STATEMENTS_MAX) {
    throw new SqsError(
      'OverLimit',
      `${statements.length + 1} statements were found, maximum allowed is ${STATEMENTS_MAX}.`,
    );
  }
  const principals = accounts.map((account) => `arn:aws:iam::${account}:root`);
  const statement = {
    Sid: label,
    Effect: 'Allow',
    Principal: { AWS: principals.length === 1 ? principals[0] : principals },
    Action: actions.map((name) => `SQS:${name}`),
    Resource: arn,
  };
  const start = head.length > 0 ? head : Object.entries(newHead(arn));
  return JSON.stringify({ ...Object.fromEntries(start), Statement: [...statements, statement] });
}

function newHead(arn: string): object {
  return { Version: '2008-10-17', Id: `${arn}/SQSDefaultPolicy` };
}

function checkPermission(
  label: string,
  accounts: readonly string[],
  actions: readonly string[],
): void {
  if (!LABEL.test(label)) {
    const reason =
      'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.';
    throw invalidParameter('Label', label, reason);
  }
  if (accounts.length === 0) throw missingParameter('AWSAccountIds');
  if (actions.length === 0) throw missingParameter('Actions');
  for (const account of accounts) {
    if (ACCOUNT.test(account)) continue;
    throw invalidParameter('PrincipalId', account, 'Unable to verify.');
  }
  if (actions.length > ACTIONS_MAX) {
    throw new SqsError(
      'OverLimit',
      `${actions.length} Actions were found, maximum allowed is ${ACTIONS_MAX}.`,
    );
  }
  for (const name of actions) {
    if (GRANTABLE.includes(name)) continue;
    const reason = 'Only the queue owner is allowed to invoke this action.';
    throw invalidParameter('ActionName', `SQS:${name}`, reason);
  }
}

/** The policy's text without the statement; empty: nothing is left of it. */
export function removePermission(text: string | undefined, label: string): string {
  const { head, statements } = readPolicy(text);
  const left = statements.filter((statement) => labelOf(statement) !== label);
  if (left.length === statements.length) {
    const reason = "can't find label.";
    throw invalidParameter('Label', label, reason);
  }
  if (left.length === 0) return '';
  return JSON.stringify({ ...Object.fromEntries(head), Statement: left });
}
