/* DeleteMessage and ChangeMessageVisibility, each alone and in batches. */

import type { ErrorCode } from '../../base/errors.ts';
import { action, requireQueue } from './action.ts';
import { batchResult, checkBatch, type FailedEntry, failedEntry } from './batch.ts';
import { idsResultJson } from './json-messages.ts';
import { visibilityMs } from './receive-actions.ts';
import * as shapes from './shapes.ts';
import { missingParameter, SqsError, sqsErrorOfCode } from './sqs-errors.ts';

const MS_PER_SECOND = 1000;

/** What deleting with `receiptHandle` came to. Only a FIFO queue minds that the visibility has run
 *  out. */
function deletionError(code: ErrorCode, receiptHandle: string): SqsError {
  if (code !== 'CAPSTAN_MESSAGE_NOT_IN_FLIGHT') return sqsErrorOfCode(code);
  return new SqsError(
    'InvalidParameterValueException',
    `Value ${receiptHandle} for parameter ReceiptHandle is invalid. ` +
      'Reason: The receipt handle has expired.',
  );
}

export const deleteMessage = action({
  name: 'DeleteMessage',
  input: shapes.DELETE_MESSAGE,
  output: shapes.NOTHING,
  async run(context, { QueueUrl, ReceiptHandle }) {
    const queue = requireQueue(context, QueueUrl);
    requireReceipt(ReceiptHandle);
    const [error] = await context.service.delete(queue, [ReceiptHandle]);
    if (error !== undefined) throw deletionError(error, ReceiptHandle);
    context.counters?.deleted(1);
    return {};
  },
});

export const deleteMessageBatch = action({
  name: 'DeleteMessageBatch',
  input: shapes.DELETE_BATCH,
  output: shapes.DELETE_BATCH_RESULT,
  writeJson: idsResultJson,
  async run(context, { QueueUrl, Entries }) {
    const queue = requireQueue(context, QueueUrl);
    const entries = checkBatch(Entries, 'DeleteMessageBatchRequestEntry');
    const receipts = entries.map(({ ReceiptHandle }) => ReceiptHandle);
    const errors = await context.service.delete(queue, receipts);
    const result = entriesResult(entries, errors, deletionError);
    context.counters?.deleted(result.Successful?.length ?? 0);
    return result;
  },
});

export const changeMessageVisibility = action({
  name: 'ChangeMessageVisibility',
  input: shapes.CHANGE_VISIBILITY,
  output: shapes.NOTHING,
  async run(context, { QueueUrl, ReceiptHandle, VisibilityTimeout }) {
    const queue = requireQueue(context, QueueUrl);
    requireReceipt(ReceiptHandle);
    const timeoutMs = visibilityMs(VisibilityTimeout);
    const [error] = await context.service.changeVisibility(queue, [ReceiptHandle], [timeoutMs]);
    if (error !== undefined) throw sqsErrorOfCode(error);
    return {};
  },
});

export const changeMessageVisibilityBatch = action({
  name: 'ChangeMessageVisibilityBatch',
  input: shapes.CHANGE_VISIBILITY_BATCH,
  output: shapes.CHANGE_VISIBILITY_BATCH_RESULT,
  writeJson: idsResultJson,
  async run(context, { QueueUrl, Entries }) {
    const queue = requireQueue(context, QueueUrl);
    const entries = checkBatch(Entries, 'ChangeMessageVisibilityBatchRequestEntry');
    const taken: { Id: string; ReceiptHandle: string }[] = [];
    const timeoutsMs: number[] = [];
    const failed: FailedEntry[] = [];
    // An entry without a timeout takes the queue's.
    const ownSeconds = queue.attributes.visibilityTimeoutMs / MS_PER_SECOND;
    for (const entry of entries) {
      try {
        timeoutsMs.push(visibilityMs(entry.VisibilityTimeout ?? ownSeconds));
        taken.push(entry);
      } catch (error) {
        if (!(error instanceof SqsError)) throw error;
        failed.push(failedEntry(entry.Id, error));
      }
    }
    const receipts = taken.map(({ ReceiptHandle }) => ReceiptHandle);
    const errors =
      taken.length === 0 ? [] : await context.service.changeVisibility(queue, receipts, timeoutsMs);
    return entriesResult(taken, errors, sqsErrorOfCode, failed);
  },
});

function requireReceipt(receiptHandle: string): void {
  if (receiptHandle.length === 0) throw missingParameter('ReceiptHandle');
}

function entriesResult(
  entries: readonly { readonly Id: string; readonly ReceiptHandle: string }[],
  errors: readonly (ErrorCode | undefined)[],
  errorOf: (code: ErrorCode, receiptHandle: string) => SqsError,
  failed: FailedEntry[] = [],
) {
  const successful: { Id: string }[] = [];
  for (const [i, { Id, ReceiptHandle }] of entries.entries()) {
    const code = errors[i];
    if (code === undefined) successful.push({ Id });
    else failed.push(failedEntry(Id, errorOf(code, ReceiptHandle)));
  }
  return batchResult(successful, failed);
}
