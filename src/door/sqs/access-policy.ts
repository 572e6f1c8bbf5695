/* The statement that AddPermission adds to the access policy of a queue.
 * Rule: SQS AddPermission. */

import type { PolicyEdit } from '../../catalog/access-policy.ts';
import { invalidParameter, missingParameter, SqsError } from './sqs-errors.ts';

const LABEL = /^[A-Za-z0-9_-]{1,80}$/;
const ACCOUNT = /^\d{12}$/;
const ACTIONS_MAX = 7;

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

/** Lets `accounts` do `actions` with the queue that has that ARN. */
export function permission(
  arn: string,
  label: string,
  accounts: readonly string[],
  actions: readonly string[],
): PolicyEdit {
  checkPermission(label, accounts, actions);
  const principals = accounts.map((account) => `arn:aws:iam::${account}:root`);
  const statement = {
    Sid: label,
    Effect: 'Allow',
    Principal: { AWS: principals.length === 1 ? principals[0] : principals },
    Action: actions.map((name) => `SQS:${name}`),
    Resource: arn,
  };
  const head = { Version: '2008-10-17', Id: `${arn}/SQSDefaultPolicy` };
  return { kind: 'add', label, statement, head };
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
