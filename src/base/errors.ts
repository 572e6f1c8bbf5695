/* Every operating error of Capstan: one table, one name for one cause, at every door. A code and
 * its number are part of the protocols and are never reused. */

interface ErrorRow {
  /** What crosses the rings and the native protocol. */
  readonly number: number;
  /** HTTP status where the protocol at hand has none of its own. */
  readonly status: number;
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** What to do next; shown with every message. */
  readonly advice: string;
}

export const ERRORS = {
  CAPSTAN_INTERNAL: {
    number: 1,
    status: 500,
    retryable: true,
    advice: 'This is a defect in Capstan. Retry; the server log has the details.',
  },
  CAPSTAN_QUEUE_DOES_NOT_EXIST: {
    number: 2,
    status: 404,
    retryable: false,
    advice: 'Create the queue first, or check the spelling of its name.',
  },
  CAPSTAN_QUEUE_NAME_EXISTS: {
    number: 3,
    status: 409,
    retryable: false,
    advice: 'Use the attributes that the queue was created with, or change them on the queue.',
  },
  CAPSTAN_INVALID_ARGUMENT: {
    number: 4,
    status: 400,
    retryable: false,
    advice: 'Correct the named argument and send the request again.',
  },
  CAPSTAN_MESSAGE_TOO_LARGE: {
    number: 5,
    status: 413,
    retryable: false,
    advice: 'Store the payload elsewhere and send a reference to it, or split it.',
  },
  CAPSTAN_BATCH_TOO_LARGE: {
    number: 6,
    status: 413,
    retryable: false,
    advice: 'Send fewer or smaller messages in one batch.',
  },
  CAPSTAN_RECEIPT_HANDLE_INVALID: {
    number: 7,
    status: 404,
    retryable: false,
    advice: 'Use the receipt handle of the latest receive of this message, from this server.',
  },
  CAPSTAN_MESSAGE_NOT_IN_FLIGHT: {
    number: 8,
    status: 409,
    retryable: false,
    advice: 'The message is visible again or gone; receive it again before changing it.',
  },
  CAPSTAN_OVER_LIMIT: {
    number: 9,
    status: 429,
    retryable: true,
    advice: 'Receive and delete messages, then try again.',
  },
  CAPSTAN_THROTTLED: {
    number: 10,
    status: 429,
    retryable: true,
    advice: 'Retry with backoff; send larger batches instead of more requests.',
  },
  CAPSTAN_PARTITION_RESTARTING: {
    number: 11,
    status: 503,
    retryable: true,
    advice: 'Retry with backoff; the partition is being recovered from its log.',
  },
  CAPSTAN_PARTITION_FAILED: {
    number: 12,
    status: 503,
    retryable: true,
    advice: 'See /healthz and the server log for the cause; repair it and restart the server.',
  },
  CAPSTAN_DISK_FULL: {
    number: 13,
    status: 503,
    retryable: true,
    advice: 'Free disk space or delete messages; service resumes by itself.',
  },
  CAPSTAN_CLOSED: {
    number: 14,
    status: 503,
    retryable: true,
    advice: 'The broker is shutting down; connect again once it is back.',
  },
  CAPSTAN_DATA_FOLDER_LOCKED: {
    number: 15,
    status: 500,
    retryable: false,
    advice: 'Stop the process that holds the data folder, or choose another folder.',
  },
  CAPSTAN_LOG_CORRUPT: {
    number: 16,
    status: 500,
    retryable: false,
    advice: 'Run `capstan log verify` on the data folder; restore the named file from a backup.',
  },
  CAPSTAN_LOG_WRITE_FAILED: {
    number: 17,
    status: 503,
    retryable: true,
    advice: 'Check the disk; the partition recovers from what is really on it.',
  },
  CAPSTAN_FORMAT_UNSUPPORTED: {
    number: 18,
    status: 500,
    retryable: false,
    advice: 'Open the data folder with the version of Capstan that wrote it, or a newer one.',
  },
  CAPSTAN_PURGE_IN_PROGRESS: {
    number: 19,
    status: 409,
    retryable: true,
    advice: 'Wait 60 seconds between purges of one queue.',
  },
  CAPSTAN_QUEUE_DELETED_RECENTLY: {
    number: 20,
    status: 409,
    retryable: true,
    advice: 'Wait 60 seconds before creating a queue with the name of a deleted one.',
  },
  CAPSTAN_UNSUPPORTED_OPERATION: {
    number: 21,
    status: 400,
    retryable: false,
    advice: 'The queue does not allow this; see the README for what each kind of queue supports.',
  },
  CAPSTAN_RESOURCE_NOT_FOUND: {
    number: 22,
    status: 404,
    retryable: false,
    advice: 'Check the name or handle; list the resources to see which exist.',
  },
  CAPSTAN_TIMEOUT: {
    number: 23,
    status: 503,
    retryable: true,
    advice: 'Retry; if it persists, see /healthz for a partition that does not answer.',
  },
  CAPSTAN_TOO_MANY_QUEUES: {
    number: 24,
    status: 409,
    retryable: false,
    advice: 'Delete queues that are no longer used before creating more.',
  },
  CAPSTAN_CONNECTION_LOST: {
    number: 25,
    status: 503,
    retryable: true,
    advice: 'Check that the server runs; whether the request was carried out is not known.',
  },
  CAPSTAN_UNAUTHORIZED: {
    number: 26,
    status: 401,
    retryable: false,
    advice: 'Connect with the token that the server was started with.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** Number 0 on a ring means success. */
export const NO_ERROR = 0;

const CODE_BY_NUMBER = new Map<number, ErrorCode>(
  Object.entries(ERRORS).map(([code, row]) => [row.number, code as ErrorCode]),
);

/** The code of a number read from a ring or a frame; an unknown number is an internal error. */
export function errorCodeOf(number: number): ErrorCode {
  return CODE_BY_NUMBER.get(number) ?? 'CAPSTAN_INTERNAL';
}

/** An operating error: something that can happen to a correct program. */
export class BrokerError extends Error {
  override name = 'BrokerError';
  readonly code: ErrorCode;
  /** What happened here, without the advice. */
  readonly detail: string;

  /** @param detail one sentence on what happened here; the table's advice is appended. */
  constructor(code: ErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${detail} ${ERRORS[code].advice}`, options);
    this.code = code;
    this.detail = detail;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** True for the error of a command that found no room on the disk, and has changed nothing. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'CAPSTAN_DISK_FULL';
}
