/* What the batch actions have in common: which batches are refused as a whole, and how entries fail
 * one by one. Rule: SQS SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch. */

import { SQS_BATCH_ENTRIES_MAX } from '../../base/limits.ts';
import { SqsError } from './sqs-errors.ts';

/** An entry that failed. */
export interface FailedEntry {
  readonly Id: string;
  readonly SenderFault: boolean;
  readonly Code: string;
  readonly Message?: string | undefined;
}

const ID = /^[A-Za-z0-9_-]{1,80}$/;

/** @param kind what the Query protocol calls an entry. */
export function checkBatch<Entry extends { readonly Id: string }>(
  entries: readonly Entry[] | undefined,
  kind: string,
): readonly Entry[] {
  if (entries === undefined || entries.length === 0) {
    throw new SqsError('EmptyBatchRequest', `There should be at least one ${kind} in the request.`);
  }
  const count = entries.length;
  if (count > SQS_BATCH_ENTRIES_MAX) {
    throw new SqsError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${SQS_BATCH_ENTRIES_MAX}. You have sent ${count}.`,
    );
  }
  for (let i = 0; i < count; i++) {
    const { Id } = entries[i]!;
    if (!ID.test(Id)) {
      throw new SqsError(
        'InvalidBatchEntryId',
        'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It ' +
          'can be at most 80 letters long.',
      );
    }
    for (let before = 0; before < i; before++) {
      if (entries[before]!.Id !== Id) continue;
      throw new SqsError('BatchEntryIdsNotDistinct', `Id ${Id} repeated.`);
    }
  }
  return entries;
}

export function failedEntry(Id: string, error: SqsError): FailedEntry {
  const { senderFault: SenderFault, queryCode: Code, message: Message } = error;
  return { Id, SenderFault, Code, Message };
}

/** The two lists of a batch's result; an empty one is left out. */
export function batchResult<Entry>(
  Successful: readonly Entry[],
  Failed: readonly FailedEntry[],
): { Successful?: readonly Entry[]; Failed?: readonly FailedEntry[] } {
  return {
    ...(Successful.length > 0 ? { Successful } : {}),
    ...(Failed.length > 0 ? { Failed } : {}),
  };
}
