/* Errors of the REST door: problem details after RFC 9457, filled from the one table of errors, so
 * that a cause has the same code and the same advice here as at every other door. */

import { BrokerError, ERRORS, type ErrorCode } from '../../base/errors.ts';
import type { HttpAnswer } from '../http.ts';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** What a client should wait before it repeats a retryable request, in seconds. */
const RETRY_AFTER_SECONDS = 1;

export interface Problem {
  /** Names the kind of problem; stable. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** What happened this time. */
  readonly detail: string;
  readonly code: ErrorCode;
  readonly advice: string;
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean;
}

export function problemOf(code: ErrorCode, detail: string): Problem {
  const { status, advice, retryable } = ERRORS[code];
  return {
    type: `urn:capstan:error:${code}`,
    title: titleOf(code),
    status,
    detail,
    code,
    advice,
    retryable,
  };
}

/** The problem of anything thrown. What is not a `BrokerError` is a defect: its text stays in the
 *  server's log. */
export function problemOfError(error: unknown): Problem {
  if (error instanceof BrokerError) return problemOf(error.code, error.detail);
  return problemOf('CAPSTAN_INTERNAL', 'The request failed inside the server.');
}

/** `CAPSTAN_QUEUE_DOES_NOT_EXIST` reads `Queue does not exist`. */
function titleOf(code: ErrorCode): string {
  const words = code.slice('CAPSTAN_'.length).toLowerCase().replaceAll('_', ' ');
  return words[0]!.toUpperCase() + words.slice(1);
}

function problemHeaders(problem: Problem): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': PROBLEM_CONTENT_TYPE };
  if (problem.retryable) headers['retry-after'] = String(RETRY_AFTER_SECONDS);
  return headers;
}

/** An error as an HTTP answer; also of paths that no protocol owns. */
export function problemAnswer(problem: Problem, more: HttpAnswer['headers'] = []): HttpAnswer {
  const { 'content-type': contentType = '', ...headers } = problemHeaders(problem);
  return {
    status: problem.status,
    contentType,
    headers: [...Object.entries(headers), ...more],
    body: JSON.stringify(problem),
  };
}

/** What a path that only answers GET says to another method. */
export function methodNotAllowed(method: string, path: string): HttpAnswer {
  const code: ErrorCode = 'CAPSTAN_UNSUPPORTED_OPERATION';
  const refused = problemOf(code, `"${path}" takes GET, and not ${method}.`);
  return problemAnswer({ ...refused, status: 405, title: 'Method not allowed' }, [
    ['allow', 'GET, HEAD'],
  ]);
}
