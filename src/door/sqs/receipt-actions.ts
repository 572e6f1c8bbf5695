/* DeleteMessage and ChangeMessageVisibility, each alone and in batches. */

import type { ErrorCode } from '../../base/errors.ts';
import type { Settle } from '../../base/settle.ts';
import type { DoorCounters } from '../door-counters.ts';
import { action, Ending, hotAction, requireQueue, type SqsContext } from './action.ts';
import { batchResult, checkBatch, type FailedEntry, failedEntry } from './batch.ts';
import { writeIds } from './json-messages.ts';
import { visibilityMs } from './receive-actions.ts';
import type { ValueOf } from './shape.ts';
import * as shapes from './shapes.ts';
import { missingParameter, SqsError, sqsErrorOfCode } from './sqs-errors.ts';

const MS_PER_SECOND = 1000;

interface ReceiptEntry {
  readonly Id: string;
  readonly ReceiptHandle: string;
}

type ReceiptsResult = ValueOf<typeof shapes.DELETE_BATCH_RESULT>;

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

class Deleting extends Ending<(ErrorCode | undefined)[], object> {
  readonly #counters: DoorCounters | undefined;
  readonly #receiptHandle: string;

  constructor({ counters }: SqsContext, receiptHandle: string, result: Settle<object>) {
    super(result);
    this.#counters = counters;
    this.#receiptHandle = receiptHandle;
  }

  protected resultOf([error]: (ErrorCode | undefined)[]): object {
    if (error !== undefined) throw deletionError(error, this.#receiptHandle);
    this.#counters?.deleted(1);
    return NOTHING;
  }
}

const NOTHING = {};

export const deleteMessage = hotAction({
  name: 'DeleteMessage',
  input: shapes.DELETE_MESSAGE,
  output: shapes.NOTHING,
  start(context, { QueueUrl, ReceiptHandle }, _caller, result: Settle<object>) {
    const queue = requireQueue(context, QueueUrl);
    requireReceipt(ReceiptHandle);
    const deleting = new Deleting(context, ReceiptHandle, result);
    context.service.deleteTo(queue, [ReceiptHandle], deleting);
  },
});

class DeletingBatch extends Ending<(ErrorCode | undefined)[], ReceiptsResult> {
  readonly #counters: DoorCounters | undefined;
  readonly #entries: readonly ReceiptEntry[];

  constructor(
    { counters }: SqsContext,
    entries: readonly ReceiptEntry[],
    result: Settle<ReceiptsResult>,
  ) {
    super(result);
    this.#counters = counters;
    this.#entries = entries;
  }

  protected resultOf(errors: (ErrorCode | undefined)[]): ReceiptsResult {
    const result = entriesResult(this.#entries, errors, deletionError);
    this.#counters?.deleted(result.Successful?.length ?? 0);
    return result;
  }
}

export const deleteMessageBatch = hotAction({
  name: 'DeleteMessageBatch',
  input: shapes.DELETE_BATCH,
  output: shapes.DELETE_BATCH_RESULT,
  writeJson: writeIds,
  start(context, { QueueUrl, Entries }, _caller, result: Settle<ReceiptsResult>) {
    const queue = requireQueue(context, QueueUrl);
    const entries = checkBatch(Entries, 'DeleteMessageBatchRequestEntry');
    const receipts = entries.map(({ ReceiptHandle }) => ReceiptHandle);
    context.service.deleteTo(queue, receipts, new DeletingBatch(context, entries, result));
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
  writeJson: writeIds,
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
  entries: readonly ReceiptEntry[],
  errors: readonly (ErrorCode | undefined)[],
  errorOf: (code: ErrorCode, receiptHandle: string) => SqsError,
  failed: FailedEntry[] = [],
): ReceiptsResult {
  const successful: { Id: string }[] = [];
  for (const [i, { Id, ReceiptHandle }] of entries.entries()) {
    const code = errors[i];
    if (code === undefined) successful.push({ Id });
    else failed.push(failedEntry(Id, errorOf(code, ReceiptHandle)));
  }
  return batchResult(successful, failed);
}
