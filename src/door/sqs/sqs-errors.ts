/* Every error that this door answers with, as one table, and the way from Capstan's own errors to
 * them. Rule: SQS API reference, and the error schemas of the official SDKs. */

import { BrokerError, ERRORS, type ErrorCode } from '../../base/errors.ts';

interface SqsErrorRow {
  /** What the Query protocol calls it; also what entries of a batch answer with. */
  readonly queryCode: string;
  readonly status: number;
}

/** A row's name is the JSON protocol's `__type`. Of 4xx the sender is to blame, of 5xx we are. */
export const SQS_ERRORS = {
  QueueDoesNotExist: row('AWS.SimpleQueueService.NonExistentQueue'),
  QueueNameExists: row('QueueAlreadyExists'),
  QueueDeletedRecently: row('AWS.SimpleQueueService.QueueDeletedRecently'),
  PurgeQueueInProgress: row('AWS.SimpleQueueService.PurgeQueueInProgress', 403),
  BatchEntryIdsNotDistinct: row('AWS.SimpleQueueService.BatchEntryIdsNotDistinct'),
  BatchRequestTooLong: row('AWS.SimpleQueueService.BatchRequestTooLong'),
  EmptyBatchRequest: row('AWS.SimpleQueueService.EmptyBatchRequest'),
  InvalidBatchEntryId: row('AWS.SimpleQueueService.InvalidBatchEntryId'),
  TooManyEntriesInBatchRequest: row('AWS.SimpleQueueService.TooManyEntriesInBatchRequest'),
  MessageNotInflight: row('AWS.SimpleQueueService.MessageNotInflight'),
  UnsupportedOperation: row('AWS.SimpleQueueService.UnsupportedOperation'),
  ReceiptHandleIsInvalid: row('ReceiptHandleIsInvalid', 404),
  InvalidAddress: row('InvalidAddress', 404),
  ResourceNotFoundException: row('ResourceNotFoundException', 404),
  OverLimit: row('OverLimit', 403),
  RequestThrottled: row('RequestThrottled', 403),
  InvalidAttributeName: row('InvalidAttributeName'),
  InvalidAttributeValue: row('InvalidAttributeValue'),
  InvalidMessageContents: row('InvalidMessageContents'),
  InvalidParameterValueException: row('InvalidParameterValue'),
  MissingRequiredParameterException: row('MissingParameter'),
  // Not of SQS alone, but of every service with these protocols.
  UnknownOperationException: row('InvalidAction', 404),
  MissingActionException: row('MissingAction'),
  SerializationException: row('MalformedInput'),
  InternalFailure: row('InternalFailure', 500),
  ServiceUnavailable: row('ServiceUnavailable', 503),
} as const satisfies Record<string, SqsErrorRow>;

export type SqsErrorName = keyof typeof SQS_ERRORS;

function row(queryCode: string, status = 400): SqsErrorRow {
  return { queryCode, status };
}

/** An answer that is an error of SQS. */
export class SqsError extends Error {
  override name = 'SqsError';
  readonly sqsName: SqsErrorName;

  constructor(sqsName: SqsErrorName, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.sqsName = sqsName;
  }

  get queryCode(): string {
    return SQS_ERRORS[this.sqsName].queryCode;
  }

  get status(): number {
    return SQS_ERRORS[this.sqsName].status;
  }

  get senderFault(): boolean {
    return this.status < 500;
  }
}

/** What a code of Capstan is to SQS, and SQS's own words for it, where clients know them. */
const BY_CODE: Readonly<Record<ErrorCode, readonly [SqsErrorName, words?: string]>> = {
  CAPSTAN_INTERNAL: ['InternalFailure', 'The request failed inside the server.'],
  CAPSTAN_QUEUE_DOES_NOT_EXIST: ['QueueDoesNotExist', 'The specified queue does not exist.'],
  CAPSTAN_QUEUE_NAME_EXISTS: ['QueueNameExists'],
  CAPSTAN_INVALID_ARGUMENT: ['InvalidParameterValueException'],
  CAPSTAN_MESSAGE_TOO_LARGE: ['InvalidParameterValueException'],
  CAPSTAN_BATCH_TOO_LARGE: ['BatchRequestTooLong'],
  CAPSTAN_RECEIPT_HANDLE_INVALID: [
    'ReceiptHandleIsInvalid',
    'The input receipt handle is invalid.',
  ],
  CAPSTAN_MESSAGE_NOT_IN_FLIGHT: ['MessageNotInflight', 'The specified message is not in flight.'],
  CAPSTAN_OVER_LIMIT: ['OverLimit'],
  CAPSTAN_THROTTLED: ['RequestThrottled'],
  CAPSTAN_PARTITION_RESTARTING: ['ServiceUnavailable'],
  CAPSTAN_PARTITION_FAILED: ['ServiceUnavailable'],
  CAPSTAN_DISK_FULL: ['ServiceUnavailable'],
  CAPSTAN_CLOSED: ['ServiceUnavailable'],
  CAPSTAN_DATA_FOLDER_LOCKED: ['ServiceUnavailable'],
  CAPSTAN_LOG_CORRUPT: ['ServiceUnavailable'],
  CAPSTAN_LOG_WRITE_FAILED: ['ServiceUnavailable'],
  CAPSTAN_FORMAT_UNSUPPORTED: ['ServiceUnavailable'],
  CAPSTAN_PURGE_IN_PROGRESS: ['PurgeQueueInProgress'],
  CAPSTAN_QUEUE_DELETED_RECENTLY: [
    'QueueDeletedRecently',
    'You must wait 60 seconds after deleting a queue before you can create another with the ' +
      'same name.',
  ],
  CAPSTAN_UNSUPPORTED_OPERATION: ['UnsupportedOperation'],
  CAPSTAN_RESOURCE_NOT_FOUND: ['ResourceNotFoundException'],
  CAPSTAN_TIMEOUT: ['ServiceUnavailable'],
  CAPSTAN_TOO_MANY_QUEUES: ['OverLimit'],
  CAPSTAN_CONNECTION_LOST: ['ServiceUnavailable'],
  CAPSTAN_UNAUTHORIZED: ['ServiceUnavailable'],
};

/** The error of an entry of a batch, of which only the code is known. */
export function sqsErrorOfCode(code: ErrorCode): SqsError {
  const [sqsName, words] = BY_CODE[code];
  return new SqsError(sqsName, words ?? ERRORS[code].advice);
}

/** The SQS error of anything thrown. What neither this door nor the broker has thrown on purpose is
 *  a defect: its text stays in the server's log. */
export function sqsErrorOf(error: unknown): SqsError {
  if (error instanceof SqsError) return error;
  if (!(error instanceof BrokerError)) return sqsErrorOfCode('CAPSTAN_INTERNAL');
  const [sqsName, words] = BY_CODE[error.code];
  const { status } = SQS_ERRORS[sqsName];
  // Codes of ours that share one of SQS are told apart by their text.
  const text = status < 500 ? error.detail : `${error.code}: ${error.message}`;
  return new SqsError(sqsName, words ?? text, { cause: error });
}

export function invalidParameter(name: string, value: unknown, reason: string): SqsError {
  return new SqsError(
    'InvalidParameterValueException',
    `Value ${String(value)} for parameter ${name} is invalid. Reason: ${reason}`,
  );
}

export function missingParameter(name: string): SqsError {
  return new SqsError(
    'MissingRequiredParameterException',
    `The request must contain the parameter ${name}.`,
  );
}
