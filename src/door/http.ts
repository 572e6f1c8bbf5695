/* The seam between the HTTP server and the protocols on top of it: a protocol is a function from a
 * whole request to an answer, and knows nothing of sockets. Used on a door's thread only.
 *
 * A request that the server has to refuse on its own (a body over the limit, a handler that threw)
 * is refused in the protocol's words, by its `refuse`. */

import type { BrokerError } from '../base/errors.ts';

/** What can be called off. */
export interface Cancellable {
  cancel(): void;
}

/** A whole request. `body` is lent until the answer is given: copy nothing that you do not keep. */
export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  /** Without the query, not decoded. */
  readonly path: string;
  /** Raw, without its question mark. Empty if there is an `X-Amz-Target`. */
  readonly query: string;
  readonly host: string;
  /** As sent; empty if there is none, or an `X-Amz-Target`. */
  readonly contentType: string;
  /** `X-Amz-Target`; empty if there is none. */
  readonly target: string;
  /** Any header of a request without `X-Amz-Target`; of one with it, only those that have a field
   *  of their own here, because looking at the others costs more than serving the request.
   *  @param name in lower case. Empty if there is none. */
  header(name: string): string;
  readonly body: Buffer;
  /** Made on first use; aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Calls `pending` off when the client goes away before it is answered: one of these, or
   *  `signal`, which takes ten times as long. */
  onGone(pending: Cancellable): void;
  /** Gives the answer, once, of a handler that returns none. Never throws. */
  respond(answer: HttpAnswer): void;
}

export interface HttpAnswer {
  readonly status: number;
  /** Empty: the answer has none, and no body. */
  readonly contentType: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Bytes are lent to who takes the answer, until that returns: in a promise they must last. */
  readonly body: string | Uint8Array;
}

/** Whatever it throws is answered by the `refuse` beside it; an answer that is at hand is returned
 *  as it is, because a promise costs a turn. Undefined: the handler has called the request's
 *  `respond`, or will. */
export type HttpHandler = (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer> | undefined;

/** The answer to a request that was not handled. `request.body` may be empty. Never throws. */
export type HttpRefusal = (request: HttpRequest, error: BrokerError) => HttpAnswer;

export interface HttpProtocol {
  readonly handle: HttpHandler;
  readonly refuse: HttpRefusal;
}
